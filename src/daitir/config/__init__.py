"""The config: named components, and the systems made of them.

Unknown keys are refused at every level, and so is a name that no component has; every fault is one line that
begins with the path of its key.
"""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from daitir.config.parts import Corpus, DialogueSet, Name, ReportSettings, Simulation, System
from daitir.encoders import EncoderOptions
from daitir.errors import DaitirError
from daitir.fusions import PRESETS, FusionOptions
from daitir.fusions.options import TrainOptions
from daitir.generators import GeneratorOptions
from daitir.options import Options, describe_faults
from daitir.reformulators import ReformulatorOptions


class Config(Options):
    """All of ``config.yaml``."""

    results: Path = Path("results")
    corpora: dict[Name, Corpus]
    simulations: dict[Name, Simulation] = Field({})
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
    from daitir.config.checks import missing_files

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
