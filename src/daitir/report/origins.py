"""Where the numbers of a page come from: components, models with digests, versions, seconds a stage."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from daitir.errors import DaitirError
from daitir.features import features_provenance
from daitir.layout import Layout, shard_names
from daitir.ranks import ranks_provenance
from daitir.report.run import System
from daitir.shards import shard_provenance
from daitir.tables import table_provenance

WEIGHTS = "weights of seed "
NOT_SETTINGS = ("kind", "model")


@dataclass(frozen=True)
class Origin:
    """A component as its files record it: model, digest of its directory, settings, versions that made it."""

    role: str
    name: str
    model: str
    digest: str
    settings: str
    versions: str


def origins(
    layout: Layout, systems: Sequence[System], dialogues: str, corpus: str, shards: int
) -> list[Origin]:
    """Return every component of the systems once, in the order of the pipeline, from the files it made."""
    shard = shard_names(shards)[0]
    records: dict[tuple[str, str], dict[str, Any]] = {}
    for system in systems:
        queries = Path(layout.queries(system.queries, dialogues, shard))
        records.setdefault(("reformulator", system.queries), table_provenance(queries))
    for system in systems:
        if system.images is not None:
            images = Path(layout.images(system.images, system.queries, dialogues, shard))
            records.setdefault(("generator", system.images), shard_provenance(images))
    for system in systems:
        corpus_features = Path(layout.corpus_features(system.encoder, corpus))
        records.setdefault(("encoder", system.encoder), features_provenance(corpus_features))
    for system in systems:
        ranks = ranks_provenance(Path(layout.ranks(system.name, dialogues)))
        records.setdefault(("fusion", system.method), ranks)
    return [_origin(role, name, record) for (role, name), record in records.items()]


def _origin(role: str, name: str, record: dict[str, Any]) -> Origin:
    options = record["options"]
    component = options.get(role, {})
    settings = {
        key: value for key, value in component.items() if key not in NOT_SETTINGS and value is not None
    }
    return Origin(
        role=role,
        name=name,
        model=str(component.get("model", component.get("kind", ""))),
        digest=options.get("digests", {}).get("model", ""),
        settings=", ".join(f"{key} {_plain(value)}" for key, value in settings.items()),
        versions=", ".join(f"{package} {number}" for package, number in record["versions"].items()),
    )


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}:{_plain(part)}" for key, part in value.items())
    return repr(value) if isinstance(value, str) and value != value.strip() else str(value)


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


def trainings(layout: Layout, systems: Sequence[System], dialogues: str) -> list[Training]:
    """Return the trainings behind the systems' ranks, a row a seed."""
    found = []
    for system in systems:
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
    """How many query texts of a reformulator were longer than an encoder reads, and were cut."""

    queries: str
    encoder: str
    cut: int
    texts: int


def cut_texts(layout: Layout, systems: Iterable[System], dialogues: str) -> list[CutTexts]:
    """Return the texts that were cut on one dialogue set, each pair of reformulator and encoder once."""
    pairs = dict.fromkeys((system.queries, system.encoder) for system in systems)
    found = []
    for queries, encoder in pairs:
        path = Path(layout.query_features(encoder, queries, dialogues))
        texts = features_provenance(path)["texts"]
        found.append(CutTexts(queries, encoder, texts["truncated"], texts["all"]))
    return found


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
