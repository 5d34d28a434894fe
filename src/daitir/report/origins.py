"""What else a page says of its making: trainings, texts that were cut, seconds a stage."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from daitir.errors import DaitirError
from daitir.features import features_provenance
from daitir.layout import Layout, shard_names
from daitir.ranks import ranks_provenance
from daitir.report.makers import part_of
from daitir.report.run import Measured, System
from daitir.shards import shard_provenance
from daitir.tables import table_provenance

WEIGHTS = "weights of seed "


@dataclass(frozen=True)
class Training:
    """One training of a fusion: what it learnt from, and the epoch that held-out training dialogues chose."""

    system: str
    seed: int
    parameters: int
    dialogues: int
    held_out: int
    epoch: int
    recall: float
    recall_of_text: float


def trainings(layout: Layout, runs: Sequence[Measured]) -> list[Training]:
    """Return the trainings behind the systems' ranks, a row a seed; all dialogue sets share them."""
    measured_on: dict[System, str] = {}
    for run in runs:
        for system in run.systems.values():
            measured_on.setdefault(system, run.dialogues.name)
    found = []
    for system, dialogues in sorted(measured_on.items(), key=lambda pair: pair[0].place):
        inputs = ranks_provenance(Path(layout.ranks(system.name, dialogues)))["inputs"]
        for seed in sorted(int(name.removeprefix(WEIGHTS)) for name in inputs if name.startswith(WEIGHTS)):
            folder = layout.fusion(system.method, system.encoder, str(system.images), system.queries, seed)
            made = table_provenance(Path(folder) / "history.parquet")["training"]
            found.append(
                Training(
                    system.name,
                    seed,
                    made["parameters"],
                    made["dialogues"],
                    made["held_out_dialogues"],
                    made["epoch"],
                    made["held_out"]["recall_at_10"],
                    made["held_out_text_alone"]["recall_at_10"],
                )
            )
    return found


@dataclass(frozen=True)
class CutTexts:
    """How many texts of a reformulator were longer than an encoder or generator reads, and were cut."""

    what: str
    queries: str
    reader: str
    cut: int
    texts: int


def cut_texts(layout: Layout, run: Measured) -> list[CutTexts]:
    """Return the texts that were cut on one dialogue set: query texts by encoders, prompts by generators."""
    systems, name = run.systems.values(), run.dialogues.name
    found = []
    for queries, encoder in dict.fromkeys((system.queries, system.encoder) for system in systems):
        path = Path(layout.query_features(encoder, queries, name))
        texts = part_of(features_provenance(path), "texts", path)
        found.append(CutTexts("query texts", queries, encoder, texts["truncated"], texts["all"]))
    drawn = ((system.queries, system.images) for system in systems if system.images is not None)
    for queries, images in dict.fromkeys(drawn):
        shards = shard_names(run.dialogues.shards)
        counts = [_prompts(Path(layout.images(images, queries, name, shard))) for shard in shards]
        cut, texts = (sum(count[key] for count in counts) for key in ("cut", "all"))
        if texts:
            found.append(CutTexts("prompts", queries, images, cut, texts))
    return found


def _prompts(path: Path) -> dict[str, int]:
    """Return how many prompts a shard was drawn from, and how many were cut; published pictures have none."""
    record = shard_provenance(path)
    if record["options"].get("generator", {}).get("kind") == "released":
        return {"all": 0, "cut": 0}
    return part_of(record, "prompts", path)


@dataclass(frozen=True)
class Seconds:
    """Time that one stage took: number of jobs and the sum of their seconds."""

    stage: str
    jobs: int
    seconds: float


def seconds_by_stage(paths: Iterable[Path]) -> list[Seconds]:
    """Sum Snakemake's benchmark files by stage: what stands first below the folder, or the name of a file."""
    spent: dict[str, list[float]] = defaultdict(list)
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*.tsv")):
            below = file if path.is_file() else file.relative_to(path)
            stage = below.stem if path.is_file() else below.with_suffix("").parts[0]
            spent[stage].append(_seconds(file))
    return [Seconds(stage, len(times), sum(times)) for stage, times in sorted(spent.items())]


def _seconds(file: Path) -> float:
    try:
        return float(pd.read_csv(file, sep="\t")["s"].iloc[-1])
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DaitirError(f"{file} is no benchmark file of Snakemake ({error}): remove it") from None
