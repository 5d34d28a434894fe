"""What was trained behind a page, read from provenance: fusions, and encoders that were trained further."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daitir.errors import DaitirError
from daitir.features import features_provenance
from daitir.fusions.sizes import overhead
from daitir.layout import Layout, instance_name
from daitir.ranks import ranks_provenance
from daitir.report.run import Measured, System
from daitir.tables import table_provenance

WEIGHTS, QUERIES = "weights of seed ", "queries of seed "


@dataclass(frozen=True)
class Training:
    """One training of a fusion: what it learnt from, and the epoch that held-out training dialogues chose."""

    system: str
    seed: int
    folder: str
    parameters: int
    encoder: str
    encoder_parameters: int
    dialogues: int
    held_out: int
    epoch: int
    recall: float
    recall_of_text: float

    @property
    def overhead(self) -> float:
        """Share that the fusion's weights add to those of its encoder."""
        return overhead(self.parameters, self.encoder_parameters)


@dataclass(frozen=True)
class Tuning:
    """One training of an encoder: by which recipe, from what, and what it brought the held-out dialogues."""

    encoder: str
    seed: int
    folder: str
    kind: str
    parameters: int
    trained_parameters: int
    dialogues: int
    held_out: int
    epoch: int
    recall_before: float
    recall: float


def part_of(record: Mapping[str, Any], part: str, path: Path) -> Any:
    """Return a part of a file's provenance that only newer files have."""
    if part not in record:
        raise DaitirError(
            f"{path} says nothing of its {part!r}, an older daitir made it: remove it and run again"
        )
    return record[part]


def seeds_in(record: Mapping[str, Any], prefix: str) -> list[int]:
    """Return the seeds that a provenance names among its inputs, by the beginning of the name."""
    return sorted(int(name.removeprefix(prefix)) for name in record["inputs"] if name.startswith(prefix))


def trained_seeds(layout: Layout, system: System, dialogues: str) -> list[int]:
    """Return the seeds with which the pipeline trained a system's fusion; none where others did."""
    record = ranks_provenance(Path(layout.ranks(system.name, dialogues)))
    return seeds_in(record, WEIGHTS) if "train" in record["options"].get("fusion", {}) else []


def tuned_seeds(layout: Layout, system: System, dialogues: str) -> list[int]:
    """Return the seeds with which a system's encoder was tuned; none where it is taken as it is."""
    return seeds_in(ranks_provenance(Path(layout.ranks(system.name, dialogues))), QUERIES)


def encoders_of(layout: Layout, system: System, dialogues: str) -> list[str]:
    """Return the encoders whose features a system ranks: one a seed where its encoder is tuned."""
    seeds = tuned_seeds(layout, system, dialogues)
    return [instance_name(system.encoder, seed) for seed in seeds] or [system.encoder]


def encoder_parameters(layout: Layout, system: System, dialogues: str) -> int:
    """Return how many weights a system's encoder has, as the features of its query texts record it."""
    encoder = encoders_of(layout, system, dialogues)[0]
    path = Path(layout.query_features(encoder, system.queries, dialogues))
    facts = part_of(features_provenance(path), "facts", path)
    return int(part_of(facts, "parameters", path))


def each_system(runs: Sequence[Measured]) -> Iterator[tuple[System, str]]:
    """Yield every system once, oracles apart, with a dialogue set that it is measured on."""
    found: dict[System, str] = {}
    for run in runs:
        for system in run.searching:
            found.setdefault(system, run.dialogues.name)
    yield from sorted(found.items(), key=lambda pair: pair[0].place)


def trainings(layout: Layout, runs: Sequence[Measured]) -> list[Training]:
    """Return the trainings behind the systems' ranks, a row a seed; all dialogue sets share them."""
    return [
        _training(layout, system, dialogues, seed)
        for system, dialogues in each_system(runs)
        for seed in trained_seeds(layout, system, dialogues)
    ]


def _training(layout: Layout, system: System, dialogues: str, seed: int) -> Training:
    is_tuned = bool(tuned_seeds(layout, system, dialogues))
    encoder = instance_name(system.encoder, seed) if is_tuned else system.encoder
    folder = layout.fusion(system.method, encoder, str(system.images), system.queries, seed)
    made = table_provenance(Path(folder) / "history.parquet")["training"]
    return Training(
        system=system.name,
        seed=seed,
        folder=folder,
        parameters=made["parameters"],
        encoder=encoder,
        encoder_parameters=encoder_parameters(layout, system, dialogues),
        dialogues=made["dialogues"],
        held_out=made["held_out_dialogues"],
        epoch=made["epoch"],
        recall=made["held_out"]["recall_at_10"],
        recall_of_text=made["held_out_text_alone"]["recall_at_10"],
    )


def tunings(layout: Layout, runs: Sequence[Measured]) -> list[Tuning]:
    """Return the trainings of the systems' encoders, a row a seed; systems share them."""
    seeds = {
        (system.encoder, seed): None
        for system, dialogues in each_system(runs)
        for seed in tuned_seeds(layout, system, dialogues)
    }
    return [_tuning(layout, encoder, seed) for encoder, seed in seeds]


def _tuning(layout: Layout, encoder: str, seed: int) -> Tuning:
    folder = layout.tuned_encoder(encoder, seed)
    record = table_provenance(Path(folder) / "history.parquet")
    made = record["tuning"]
    return Tuning(
        encoder=encoder,
        seed=seed,
        folder=folder,
        kind=record["options"]["tune"]["kind"],
        parameters=made["parameters"],
        trained_parameters=made["trained_parameters"],
        dialogues=made["dialogues"],
        held_out=made["held_out_dialogues"],
        epoch=made["epoch"],
        recall_before=made["held_out_before"]["recall_at_10"],
        recall=made["held_out"]["recall_at_10"],
    )
