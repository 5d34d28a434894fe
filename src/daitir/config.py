"""The config: named components, and the systems made of them.

Unknown keys are refused at every level, and so is a name that no component has; every fault is one line that
begins with the path of its key.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from daitir.encoders import EncoderOptions
from daitir.errors import DaitirError
from daitir.fusions import PRESETS, FusionOptions
from daitir.fusions.options import TrainOptions
from daitir.generators import GeneratorOptions
from daitir.options import Options, describe_faults
from daitir.reformulators import ReformulatorOptions

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a name is made of letters, digits, - and _, for it becomes a folder")
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class Corpus(Options):
    """The images searched: a JSON list of names, and the folder they lie in."""

    list: Path
    images: Path


class DialogueSet(Options):
    """Dialogues in a file; how many rounds of each are worked on, and in how many shards."""

    file: Path
    format: Literal["chatir"] = "chatir"
    corpus: Name
    rounds: int = Field(11, ge=1)
    rounds_per_dialogue: int | None = Field(None, ge=1)
    limit: int | None = Field(None, ge=1)
    shards: int = Field(1, ge=1)


class System(Options):
    """A row of every table: which encoder searches with which queries and images, joined by which method."""

    encoder: Name
    queries: Name
    images: Name | None = None
    method: Name
    baseline: Name | None = None


class ReportSettings(Options):
    """What is measured and shown."""

    hits: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 5, 10, 50), min_length=1)
    rounds: tuple[Annotated[int, Field(ge=0)], ...] = (0, 5, 10)
    examples: int = Field(6, ge=0)
    resamples: int = Field(2000, ge=100)
    seed: int = 0


class Config(Options):
    """All of ``config.yaml``."""

    results: Path = Path("results")
    corpora: dict[Name, Corpus]
    dialogues: dict[Name, DialogueSet]
    reformulators: dict[Name, ReformulatorOptions]
    generators: dict[Name, GeneratorOptions] = Field({})
    encoders: dict[Name, EncoderOptions]
    fusions: dict[Name, FusionOptions] = Field({})
    systems: dict[Name, System] = Field(min_length=1)
    evaluate: list[Name] = Field(min_length=1)
    report: ReportSettings = ReportSettings()

    @property
    def methods(self) -> dict[str, Any]:
        """All fusions by name: those of the config and the training-free presets."""
        return {**PRESETS, **self.fusions}

    def fusion_of(self, system: System) -> Any:
        """Return the options of a system's fusion."""
        return self.methods[system.method]

    def recipe(self, method: str) -> TrainOptions | None:
        """Return how a fusion is trained; None for one that is not."""
        return getattr(self.methods[method], "train", None)


def load_config(values: Any, source: str = "config") -> Config:
    """Validate a config; the error holds one line a fault, each with the path of its key."""
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(source, describe_faults(error)) from None
    faults = list(_faults(config))
    if faults:
        raise ConfigError(source, faults)
    return config


class ConfigError(DaitirError):
    """The faults of a config, one line each."""

    def __init__(self, source: str, faults: list[str]) -> None:
        self.lines = [f"{source}: {fault}" for fault in faults]
        super().__init__("\n".join(self.lines))

    def __str__(self) -> str:
        return "\n".join(self.lines)


def _faults(config: Config) -> Iterator[str]:
    for name in sorted(set(config.fusions) & set(PRESETS)):
        yield f"fusions.{name}: this name is built in, choose another"
    for name, dialogues in config.dialogues.items():
        yield from _unknown(f"dialogues.{name}.corpus", dialogues.corpus, config.corpora, "corpus")
    for place, evaluated in enumerate(config.evaluate):
        yield from _unknown(f"evaluate.{place}", evaluated, config.dialogues, "dialogue set")
        drawn = config.dialogues[evaluated].rounds_per_dialogue if evaluated in config.dialogues else None
        if drawn is not None and drawn < config.dialogues[evaluated].rounds:
            yield f"dialogues.{evaluated}.rounds_per_dialogue: {evaluated!r} is evaluated in every round"
    for name in config.fusions:
        recipe = config.recipe(name)
        if recipe is not None:
            trained_on = recipe.dialogues
            yield from _unknown(
                f"fusions.{name}.train.dialogues", trained_on, config.dialogues, "dialogue set"
            )
            if trained_on in config.evaluate:
                yield f"fusions.{name}.train.dialogues: {trained_on!r} is evaluated too; train on others"
    for kind in ("reformulators", "generators", "encoders"):
        for name, component in getattr(config, kind).items():
            yield from _missing_files(f"{kind}.{name}", component)
    for name, system in config.systems.items():
        yield from _faults_of_system(config, f"systems.{name}", system)


def _faults_of_system(config: Config, path: str, system: System) -> Iterator[str]:
    unknown = [
        *_unknown(f"{path}.encoder", system.encoder, config.encoders, "encoder"),
        *_unknown(f"{path}.queries", system.queries, config.reformulators, "reformulator"),
        *_unknown(f"{path}.method", system.method, config.methods, "fusion"),
    ]
    if system.baseline is not None:
        unknown += _unknown(f"{path}.baseline", system.baseline, config.systems, "system")
    if system.images is not None:
        unknown += _unknown(f"{path}.images", system.images, config.generators, "generator")
    yield from unknown
    if unknown:
        return
    if config.fusion_of(system).uses_images and system.images is None:
        yield f"{path}.images: missing, method {system.method!r} looks at generated images: name a generator"
    if system.images is not None and not config.fusion_of(system).uses_images:
        yield f"{path}.images: method {system.method!r} looks at no generated images: remove the key"
    if system.images is not None:
        wanted = config.generators[system.images].images
        seen = getattr(config.fusion_of(system), "images", None)
        if seen is not None and seen > wanted:
            yield (
                f"{path}.method: {system.method!r} looks at {seen} images a round, but"
                f" generators.{system.images} draws {wanted}: raise its `images`"
            )
        written = config.reformulators[system.queries].prompts
        if wanted > written:
            yield (
                f"generators.{system.images}.images: {wanted} images a round, but"
                f" reformulators.{system.queries} writes {written} prompts: raise its `prompts`"
            )


def _missing_files(path: str, component: Options) -> Iterator[str]:
    for field, value in component.only("bytes", "text").items():
        if field.endswith("_template") and value is not None and not Path(value).is_file():
            yield f"{path}.{field}: there is no file {value}"
        if field == "model" and not Path(value).is_dir() and not HUB_ID.fullmatch(value):
            yield f"{path}.model: there is no folder {value}, and it is no hub id (owner/name)"


def _unknown(path: str, name: str, known: dict[str, Any], what: str) -> Iterator[str]:
    if name not in known:
        there_are = ", ".join(sorted(known)) or "none"
        yield f"{path}: no {what} is called {name!r}; there are {there_are}"
