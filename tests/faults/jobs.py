"""The jobs of the workflow as their command lines: planned by Snakemake, run without it."""

import filecmp
import os
import re
import shlex
import shutil
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daitir.seals import OF_SNAKEMAKE
from tests.faults.dying import LONGEST, Attempt, Ended
from tests.workflow.conftest import RunFolder

RESULTS = "results/smoke"
OF_THE_RUN = {"logs", "benchmarks", "scratch"}
PAGES = {"report.html", "summary.md", ".report.html.seal", ".summary.md.seal"}  # they tell how long jobs took


@dataclass(frozen=True)
class Job:
    """A job; ``kind`` is its stage, and of ``encode`` also what is encoded."""

    module: str
    words: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name of its row in the table."""
        stage = self.module.rpartition(".")[2]
        return f"encode {self.words[0]}" if stage == "encode" else stage

    def clear(self, folder: Path) -> None:
        """Remove its outputs, as Snakemake does before it starts a job."""
        for output in self.outputs:
            path = folder / output
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()

    def start(self, folder: Path, **how: Any) -> Attempt:
        """Start it."""
        return Attempt(self.module, self.words, folder, **how)

    def run(self, folder: Path, **how: Any) -> Ended:
        """Run it anew, to its end or for some ``seconds``."""
        seconds = how.pop("seconds", LONGEST)
        self.clear(folder)
        return self.start(folder, **how).end(seconds)

    def finish(self, folder: Path) -> Ended:
        """Run it to a good end."""
        ended = self.run(folder)
        assert ended.status == 0, ended.said
        return ended


def planned(folder: RunFolder, config: dict[str, Any], targets: Sequence[str]) -> list[Job]:
    """Return all jobs of a config, each after those whose files it reads."""
    asked = ("--dry-run", "--forceall", "--printshellcmds", "--cores", "2", *targets)
    blocks = folder.run(*asked, config=config).split("\n\n")
    return [_job(block) for block in blocks if "Shell command: python" in block]


def _job(block: str) -> Job:
    files = {
        role: tuple(found[1].split(", "))
        if (found := re.search(rf"^    {role}: (.*)$", block, re.MULTILINE))
        else ()
        for role in ("input", "output")
    }
    command = re.search(r"^Shell command: python -m (\S+) (.*) 2>&1", block, re.MULTILINE | re.DOTALL)
    assert command, block
    return Job(command[1], tuple(shlex.split(command[2])), files["input"], files["output"])


def run_all(jobs: Sequence[Job], folder: Path) -> dict[Job, Ended]:
    """Run those jobs whose outputs are not there, two at a time."""
    maker = {output: job for job in jobs for output in job.outputs}
    left = [job for job in jobs if not all((folder / output).exists() for output in job.outputs)]
    started: dict[Job, Future[Ended]] = {}

    def make(job: Job) -> Ended:
        for needed in {maker[name] for name in job.inputs if name in maker} & started.keys():
            started[needed].result()
        return job.finish(folder)

    with ThreadPoolExecutor(2) as pool:
        for job in left:
            started[job] = pool.submit(make, job)
    return {job: ended.result() for job, ended in started.items()}


def linked_copy(source: Path, target: Path) -> Path:
    """Return a copy of a run folder whose files are the same until one is replaced; its links stay links."""
    return Path(shutil.copytree(source, target, copy_function=os.link, symlinks=True))


def foreign(folder: Path, whole: Path, without: AbstractSet[str] = frozenset()) -> list[str]:
    """Return the visible files of results that are not, byte for byte, those of the whole folder.

    A run may be at work there: an output that Snakemake removes meanwhile, as it does when a job was killed
    after its outputs stood, is none of them.
    """
    return sorted(
        name
        for name, path in files_of(folder, without).items()
        if not any(part.startswith(".") for part in Path(name).parts) and _is_foreign(path, whole / name)
    )


def _is_foreign(path: Path, twin: Path) -> bool:
    if same(path, twin):
        return False
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return False
    return not twin.exists() or found != twin.read_bytes()


def torn(job: Job, folder: Path, whole: Path) -> list[str]:
    """Return the output folders of a job that stand and lack a file or have one too many."""
    standing = [output for output in job.outputs if (folder / output).is_dir()]
    return [name for name in standing if _names(folder / name) != _names(whole / name)]


def differences(folder: Path, whole: Path, without: AbstractSet[str] = frozenset()) -> list[str]:
    """Return the files, hidden ones too, that one of two finished folders lacks or that differ."""
    ours, theirs = files_of(folder, without), files_of(whole, without)
    unlike = {name for name in ours.keys() & theirs.keys() if not same(ours[name], theirs[name])}
    return sorted(unlike | (ours.keys() ^ theirs.keys()))


def left_over(folder: Path) -> list[str]:
    """Return the files that a finished job would have removed: in scratch folders, partial ones, locks."""
    return sorted(
        str(path.relative_to(folder))
        for path in (folder / RESULTS).rglob("*")
        if path.is_file() and ("scratch" in path.parts or path.suffix in {".partial", ".lock"})
    )


def files_of(folder: Path, without: AbstractSet[str] = frozenset()) -> dict[str, Path]:
    """Return all files of results by name, but those that tell of the run itself and those of some names."""
    results, found = folder / RESULTS, {}
    for path in sorted(results.rglob("*")):
        other = path.relative_to(results).parts[0] in OF_THE_RUN | without
        if path.is_file() and not other and path.name != OF_SNAKEMAKE:
            found[str(path.relative_to(folder))] = path
    return found


def same(path: Path, twin: Path) -> bool:
    """Whether two files hold the same bytes."""
    try:
        return path.samefile(twin) or filecmp.cmp(path, twin, shallow=False)
    except FileNotFoundError:
        return False


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} - {OF_SNAKEMAKE}
