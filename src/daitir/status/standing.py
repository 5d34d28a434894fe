"""Where each job stands: by its outputs, Snakemake's notes, its scratch and its log; none is read whole."""

import os
import re
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daitir.benchmarks import seconds_in
from daitir.errors import DaitirError
from daitir.layout import Layout
from daitir.locks import LOCK
from daitir.planning.inventory import Job

State = Literal["done", "running", "stopped", "left"]
NOTES = Path(".snakemake", "incomplete")
QUIET = 600  # seconds without a line in its log after which a job is taken for a stopped one
PROGRESS = re.compile(r"(\d+)/(\d+) \[")
TAIL = 4096


@dataclass(frozen=True)
class Standing:
    """Where a job stands.

    Of a begun one, how much is finished (``done`` of ``total`` samples, 0 of 0: nobody knows), how many
    seconds its last word is old, and who holds it. ``seconds`` is what it took when it was last done,
    where Snakemake noted it.
    """

    job: Job
    state: State
    done: int = 0
    total: int = 0
    age: float | None = None
    seconds: float | None = None
    holder: str = ""

    @property
    def share(self) -> float:
        """How much of the job is finished, 0 to 1."""
        return 1.0 if self.state == "done" else self.done / self.total if self.total else 0.0


def standings(layout: Layout, jobs: list[Job], folder: Path = Path()) -> list[Standing]:
    """Return where each job stands; ``folder`` is the one that Snakemake runs in."""
    begun, now = begun_outputs(folder / NOTES), time.time()
    return [_standing(layout, job, begun, now) for job in jobs]


def _standing(layout: Layout, job: Job, begun: set[str], now: float) -> Standing:
    is_begun, seconds = bool(begun.intersection(job.outputs)), _spent(layout, job)
    if not is_begun and all(map(os.path.exists, job.outputs)):
        return Standing(job, "done", seconds=seconds)
    scratch, log = Path(layout.scratch(*job.parts)), Path(layout.log(*job.told))
    if not is_begun and not scratch.is_dir():
        return Standing(job, "left", seconds=seconds)
    age = now - log.stat().st_mtime if log.exists() else None
    is_running = is_held(scratch / LOCK) or (age is not None and age < QUIET)
    done, total = last_progress(log)
    state: State = "running" if is_running else "stopped"
    return Standing(job, state, done, total, age, seconds, holder_of(scratch / LOCK))


def begun_outputs(notes: Path) -> set[str]:
    """Return the outputs of jobs that were begun and have not finished: Snakemake names a note by each."""
    found = set()
    for parent, _, files in os.walk(notes):
        above = Path(parent).relative_to(notes).parts
        for name in files:
            text = "".join([*(part.removeprefix("@") for part in above), name])
            try:
                found.add(urlsafe_b64decode(text).decode())
            except ValueError:
                continue  # no note of a job
    return found


def is_held(lock: Path) -> bool:
    """Whether a process of this machine holds a lock; it is looked up, for trying it would be in the way."""
    try:
        inode = f":{lock.stat().st_ino} "
        return any("FLOCK" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())
    except OSError:
        return False


def holder_of(lock: Path) -> str:
    """Return who wrote its name into a lock: process, machine and job of the cluster."""
    try:
        return lock.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def last_progress(log: Path) -> tuple[int, int]:
    """Return how many samples the last line of progress counts, and of how many; 0 of 0 if there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL))
            found = PROGRESS.findall(stream.read().decode(errors="replace"))
    except OSError:
        return 0, 0
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)


def _spent(layout: Layout, job: Job) -> float | None:
    """Return the seconds that a job took; those that were done as one share them equally."""
    try:
        return seconds_in(Path(layout.benchmark(*job.told))) / max(1, len(job.beside))
    except DaitirError:
        return None  # it was never done, or its output came from elsewhere
