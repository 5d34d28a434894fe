"""The parts of a config that are not components: data, systems, simulations, and what the report measures."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from daitir.analyses.options import FROM_RANKS, Analysis
from daitir.explorer.options import ExplorerSettings
from daitir.options import Options
from daitir.report.claims import Claim
from daitir.report.expected import ExpectedValues
from daitir.simulation import SimulationOptions
from daitir.tuning import TuneOptions

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a name is made of letters, digits, - and _, for it becomes a folder")
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class Corpus(Options):
    """The images searched: the folder they lie in, and a JSON list of names; without one, all of them.

    ``judge`` (``package.module:function``) is code of one's own that says how much of a generated image is
    true of a target (both as PIL images), 0 to 1; hallucinated cues are told by it.
    """

    images: Path
    list: Path | None = None
    judge: str | None = Field(None, pattern=r"^[\w.]+:\w+$")


class DialogueSet(Options):
    """Dialogues in a file; how many rounds of each are worked on, and in how many shards.

    ``round_0_from`` names a dialogue set with the same captions: what it has of round 0 is not made again.
    """

    file: Path
    format: Literal["chatir", "list", "visdial", "jsonl"] = "chatir"
    corpus: Name
    rounds: int = Field(11, ge=1)
    rounds_per_dialogue: int | None = Field(None, ge=1)
    limit: int | None = Field(None, ge=1)
    shards: int = Field(1, ge=1)
    round_0_from: Name | None = None


class Simulation(SimulationOptions):
    """Dialogues about a corpus that nobody held yet: a language model asks, a vision model answers."""

    corpus: Name


class TunedEncoder(Options):
    """An encoder that the pipeline trains further, once a seed: another encoder of the config, and how."""

    kind: Literal["tuned"]
    encoder: Name
    train: TuneOptions


class System(Options):
    """A row of every table: which encoder searches with which queries and images, joined by which method.

    It is measured on every evaluated dialogue set, or on those of ``dialogues``.
    """

    encoder: Name
    queries: Name
    images: Name | None = None
    method: Name
    baseline: Name | None = None
    dialogues: tuple[Name, ...] | None = Field(None, min_length=1)

    def is_measured_on(self, dialogues: str) -> bool:
        """Whether the system has a row on a dialogue set."""
        return self.dialogues is None or dialogues in self.dialogues


class Oracle(Options):
    """An upper line: for each query the better of some systems, which takes the target to know.

    It is measured where all of them are.
    """

    of: tuple[Name, ...] = Field(min_length=2)
    baseline: Name | None = None


class ReportSettings(Options):
    """What is measured and shown, the published figures it is held against, the claims it is asked about."""

    hits: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 5, 10, 50), min_length=1)
    rounds: tuple[Annotated[int, Field(ge=0)], ...] = (0, 5, 10)
    examples: int = Field(6, ge=0)
    resamples: int = Field(2000, ge=100)
    seed: int = 0
    expected: tuple[ExpectedValues, ...] = ()
    claims: tuple[Claim, ...] = ()
    analyses: tuple[Analysis, ...] = FROM_RANKS
    runs: bool = True
    runs_depth: int | None = Field(1000, ge=10)
    explorer: ExplorerSettings = ExplorerSettings()
