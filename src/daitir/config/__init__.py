"""The config: named components, and the systems made of them.

Unknown keys are refused at every level, and so is a name that no component has; every fault is one line that
begins with the path of its key.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from daitir.config.parts import (
    Corpus,
    DialogueSet,
    Name,
    Oracle,
    ReportSettings,
    Simulation,
    System,
    TunedEncoder,
)
from daitir.encoders import EncoderOptions
from daitir.errors import DaitirError
from daitir.fusions import PRESETS, FusionOptions
from daitir.fusions.options import TrainOptions
from daitir.generators import GeneratorOptions
from daitir.layout import instance_name, parts_of_instance
from daitir.options import Options, describe_faults
from daitir.reformulators import ReformulatorOptions

AnyEncoder = Annotated[EncoderOptions | TunedEncoder, Field(discriminator="kind")]


class Config(Options):
    """All of ``config.yaml``.

    ``links`` are folders into which links inside the folders of images may lead; others are not followed.
    """

    results: Path = Path("results")
    links: tuple[Path, ...] = ()
    corpora: dict[Name, Corpus]
    simulations: dict[Name, Simulation] = Field({})
    dialogues: dict[Name, DialogueSet]
    reformulators: dict[Name, ReformulatorOptions]
    generators: dict[Name, GeneratorOptions] = Field({})
    encoders: dict[Name, AnyEncoder]
    fusions: dict[Name, FusionOptions] = Field({})
    systems: dict[Name, System] = Field(min_length=1)
    oracles: dict[Name, Oracle] = Field({})
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

    def tuned(self, encoder: str) -> TunedEncoder | None:
        """Return how an encoder is trained further; None for one that is taken as it is."""
        options = self.encoders[encoder]
        return options if isinstance(options, TunedEncoder) else None

    def instances(self, encoder: str) -> list[str]:
        """Return the encoders that compute under one name: one a seed where it is tuned, else itself."""
        tuned = self.tuned(encoder)
        return [encoder] if tuned is None else [instance_name(encoder, seed) for seed in tuned.train.seeds]

    def base_encoder(self, instance: str) -> EncoderOptions:
        """Return the options of an encoder; of a tuned one (or a seed of it) those of what it came from."""
        name, _ = parts_of_instance(instance)
        tuned = self.tuned(name)
        options = self.encoders[name if tuned is None else tuned.encoder]
        assert not isinstance(options, TunedEncoder)
        return options

    def oracles_on(self, dialogues: str) -> dict[str, Oracle]:
        """Return the oracles that are measured on a dialogue set: where all that they choose from are."""
        there = self.systems_on(dialogues).keys()
        return {name: oracle for name, oracle in self.oracles.items() if there >= set(oracle.of)}

    def systems_on(self, dialogues: str) -> dict[str, System]:
        """Return the systems that are measured on a dialogue set."""
        return {name: system for name, system in self.systems.items() if system.is_measured_on(dialogues)}


def load_config(values: Any, source: str = "config") -> Config:
    """Validate a config; the error holds one line a fault, each with the path of its key.

    Whether the models it names are there is another question: ``require_files`` and the preflight ask it.
    """
    from daitir.config.checks import faults_of

    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(source, describe_faults(error, Config)) from None
    faults = list(dict.fromkeys(faults_of(config)))  # several systems may share one
    if faults:
        raise ConfigError(source, faults)
    return config


def require_files(config: Config, source: str = "config") -> None:
    """Refuse a config that names a model folder or a template that is not there, one line a fault."""
    from daitir.config.missing import missing_files

    faults = list(missing_files(config))
    if faults:
        raise ConfigError(source, faults)


class ConfigError(DaitirError):
    """The faults of a config, one line each."""

    def __init__(self, source: str, faults: list[str]) -> None:
        self.lines = [f"{source}: {fault}" for fault in faults]
        super().__init__("\n".join(self.lines))

    def __str__(self) -> str:
        return "\n".join(self.lines)
