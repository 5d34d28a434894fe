"""What systems cost: weights of encoder and fusion, and the seconds of training that Snakemake measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daitir.benchmarks import seconds_in
from daitir.layout import Layout
from daitir.report.run import Measured
from daitir.report.trained import Training, Tuning, each_system, encoder_parameters, trainings, tunings


@dataclass(frozen=True)
class Cost:
    """What one system costs; ``seconds`` are those of each seed, its encoder's training with its fusion's."""

    encoder: int
    fusion: int | None
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Costs:
    """Every system's cost by its name, and the trainings behind them, each with its seconds if known."""

    systems: Mapping[str, Cost]
    fusions: Mapping[Training, float | None]
    encoders: Mapping[Tuning, float | None]


def costs(layout: Layout, runs: Sequence[Measured], benchmarks: Sequence[Path]) -> Costs:
    """Return what the systems of a run cost; seconds that no benchmark file tells are left out."""
    fusions = {one: training_seconds(layout, one.folder, benchmarks) for one in trainings(layout, runs)}
    encoders = {one: training_seconds(layout, one.folder, benchmarks) for one in tunings(layout, runs)}
    systems = {}
    for system, dialogues in each_system(runs):
        own = {one: seconds for one, seconds in fusions.items() if one.system == system.name}
        below = {one: seconds for one, seconds in encoders.items() if one.encoder == system.encoder}
        systems[system.name] = Cost(
            encoder=encoder_parameters(layout, system, dialogues),
            fusion=next((one.parameters for one in own), None),
            seconds=_together(
                {one.seed: seconds for one, seconds in own.items()},
                {one.seed: seconds for one, seconds in below.items()},
            ),
        )
    return Costs(systems, fusions, encoders)


def _together(fusion: Mapping[int, float | None], encoder: Mapping[int, float | None]) -> tuple[float, ...]:
    """Return seconds by seed, of both where both are trained; nothing where one of them is not known."""
    parts = [part for part in (fusion, encoder) if part]
    seconds = [[part.get(seed) for part in parts] for seed in (parts[0] if parts else ())]
    if any(one is None for seed in seconds for one in seed):
        return ()
    return tuple(sum(one for one in seed if one is not None) for seed in seconds)


def training_seconds(layout: Layout, folder: str, benchmarks: Iterable[Path]) -> float | None:
    """Return the seconds of the job that made a training's folder; its benchmark file has the same path."""
    below = Path(folder).relative_to(layout.results)
    for place in benchmarks:
        file = place / below.with_name(below.name + ".tsv")
        if file.is_file():
            return seconds_in(file)
    return None
