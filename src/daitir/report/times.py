"""What the stages took: seconds of their jobs, what the jobs made of it a second, and on which machines."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daitir.benchmarks import seconds_in
from daitir.features import count_features
from daitir.layout import Layout
from daitir.machine import machine_told
from daitir.shards import count_pictures
from daitir.tables import count_rows

Count = Callable[[Path], int]
COUNTED: Mapping[str, tuple[str, str, Count]] = {  # stage -> ending, what is counted, how
    "queries": (".parquet", "queries", count_rows),
    "images": (".tar", "images", count_pictures),
    "features of queries": (".h5", "texts", count_features),
    "features of images": (".h5", "images", count_features),
    "features of corpora": (".h5", "images", count_features),
    "ranks": (".parquet", "queries", count_rows),
}


@dataclass(frozen=True)
class Time:
    """One stage: jobs, the sum of their seconds, what they made if it can be counted, and their machines.

    ``made`` is None where no product is there to count; a picture of two queries counts twice.
    """

    stage: str
    jobs: int
    seconds: float
    made: int | None
    unit: str
    machines: tuple[str, ...]

    @property
    def rate(self) -> float | None:
        """Products a second of a job, the start of the job and the loading of its model included."""
        return None if not self.made or not self.seconds else self.made / self.seconds


@dataclass(frozen=True)
class _Job:
    stage: str
    file: Path
    below: Path


def times(layout: Layout, benchmarks: Iterable[Path], together: Iterable[Sequence[str]] = ()) -> list[Time]:
    """Return the time of every stage, from Snakemake's benchmark files, or folders of them.

    ``together`` are the systems of each job that ranks several; its file bears the name of the first.
    """
    ranked = {systems[0]: tuple(systems) for systems in together}
    jobs: dict[str, list[_Job]] = defaultdict(list)
    for job in _jobs(benchmarks):
        jobs[job.stage].append(job)
    return [_time(layout, stage, own, ranked) for stage, own in sorted(jobs.items())]


def _time(layout: Layout, stage: str, jobs: list[_Job], ranked: Mapping[str, tuple[str, ...]]) -> Time:
    ending, unit, count = COUNTED.get(stage, ("", "", None))
    made: int | None = None
    if count is not None:
        own = [job.below.with_name(job.below.name + ending) for job in jobs]
        if stage == "ranks":
            own = [
                Path(stage, one, path.name)
                for path in own
                for one in ranked.get(path.parts[1], path.parts[1:2])
            ]
        products = [Path(layout.results) / path for path in own]
        made = sum(map(count, products)) if all(path.is_file() for path in products) else None
    told = (machine_told(Path(layout.log(*job.below.parts))) for job in jobs)
    machines = tuple(dict.fromkeys(machine for machine in told if machine is not None))
    return Time(stage, len(jobs), sum(seconds_in(job.file) for job in jobs), made, unit, machines)


def _jobs(paths: Iterable[Path]) -> Iterator[_Job]:
    """Yield the jobs behind benchmark files; a stage is the first folder, or a file's name."""
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*.tsv")):
            below = Path(file.stem) if path.is_file() else file.relative_to(path).with_suffix("")
            stage, *parts = below.parts
            if stage == "features" and len(parts) > 1:
                stage = f"features of {parts[1]}"
            yield _Job(stage, file, below)
