"""Names of the analyses and what each reads: light, for the config and the plan."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from daitir.fusions import FusionOptions
from daitir.options import Options

Analysis = Literal["queries", "length", "repetition", "changes", "gains", "images", "alpha", "stress", "cost"]
Source = Literal["dialogues", "queries", "pictures", "corpus", "weights", "texts", "ranks", "seconds"]

Kind = Literal["ranks", "features"]
FROM_RANKS: tuple[Analysis, ...] = ("queries", "length", "repetition", "changes", "gains", "cost")
RANKING: frozenset[Source] = frozenset({"dialogues", "queries", "pictures", "corpus", "weights", "ranks"})
READS: dict[Analysis, frozenset[Source]] = {
    "queries": frozenset({"ranks", "queries"}),
    "length": frozenset({"ranks", "dialogues"}),
    "repetition": frozenset({"ranks", "dialogues"}),
    "changes": frozenset({"ranks"}),
    "gains": frozenset({"ranks", "texts"}),
    "images": RANKING,
    "alpha": RANKING,
    "stress": RANKING,
    "cost": frozenset({"ranks", "seconds"}),
}
# Those of one kind are one job a dialogue set: what they read and rank is read and ranked once.
KINDS: dict[Kind, tuple[Analysis, ...]] = {"ranks": FROM_RANKS, "features": ("images", "alpha", "stress")}
WITHOUT_FIGURE: frozenset[Analysis] = frozenset({"gains"})


class AnalysedSystem(Options):
    """What an analysis knows of a system; one without a fusion (an oracle) has ranks alone."""

    encoder: str
    queries: str
    images: str | None = None
    baseline: str | None = None
    fusion: FusionOptions | None = None


class SystemSources(BaseModel):
    """Where the files of a system on one dialogue set lie, as far as the analysis reads them.

    ``texts`` are the shards of its query texts, ``seconds`` Snakemake's benchmark files of all jobs that a
    query passes through, by stage.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dialogues: Path | None = None
    queries: Path | None = None
    pictures: tuple[Path, ...] = ()
    corpus: Path | None = None
    weights: tuple[Path, ...] = ()
    texts: tuple[Path, ...] = ()
    ranks: Path | None = None
    seconds: dict[str, tuple[Path, ...]] = Field({})
