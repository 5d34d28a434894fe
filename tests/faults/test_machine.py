"""A disk that may not be written or has no room, and jobs that run twice: one line, and nothing is lost."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from tests.cluster.slurm import wait_until
from tests.faults.jobs import RESULTS, differences, foreign, left_over, linked_copy, torn
from tests.faults.ledger import STAGES, record

PAGE = 4096
ROOM = 256 * 2**20


class Disk(NamedTuple):
    """A disk in memory."""

    folder: Path

    def remount(self, options: str) -> None:
        """Make it larger, smaller, or read-only, as soon as nothing is open there.

        A program that another thread starts at this moment has what this one had open until it is replaced.
        """
        command = ["mount", "-o", f"remount,{options}", str(self.folder)]

        def is_done() -> bool:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert not done.returncode or "busy" in done.stderr, done.stderr
            return not done.returncode

        wait_until(is_done, f"nothing is open on {self.folder}")

    @property
    def used(self) -> int:
        """Bytes that are taken."""
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """Yield a disk; who may not mount one skips the test."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=755", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk may be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def size_of(path: Path) -> int:
    """Return what a file or a folder takes on a disk, in bytes."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(-(-file.stat().st_size // PAGE) * PAGE for file in files if file.is_file())


def break_the_disk(job, whole, folder):
    """Try a job on a disk that is read-only, that it may not write, and that is full; return what is said."""
    said = {}
    shutil.copytree(whole.folder, folder, symlinks=True, ignore=lambda *_: {"smoke"})
    with mounted(folder / RESULTS) as disk:
        shutil.copytree(whole.folder / RESULTS, disk.folder, dirs_exist_ok=True)
        job.clear(folder)

        def fail(fault, **how):
            said[fault] = job.run(folder, **how).refusal
            assert foreign(folder, whole.folder) + torn(job, folder, whole.folder) == []

        disk.remount("ro")
        fail("results read-only")
        disk.remount("rw")
        folders = [disk.folder, *(path for path in disk.folder.rglob("*") if path.is_dir())]
        for path in folders:
            path.chmod(0o555)
        fail("results without permission to write", powerless=True)
        for path in folders:
            path.chmod(0o755)
        pages = sum(size_of(whole.folder / output) for output in job.outputs) // PAGE
        disk.remount(f"size={disk.used + Random(job.kind).randrange(pages) * PAGE}")
        fail("disk full")
        disk.remount(f"size={ROOM}")
        job.finish(folder)
        assert differences(folder, whole.folder) + left_over(folder) == []
    return said


SAYS = {
    "disk full": ("No space left on device", "free disk space and run again; nothing finished is lost"),
    "results read-only": ("Read-only file system", "write somewhere else: set `results:` in config.yaml"),
    "results without permission to write": (
        "Permission denied",
        "mend the permissions or set `results:` in config.yaml",
    ),
}


@pytest.fixture(scope="module")
def broken(whole, root, each_kind):
    """A job of each kind on such disks."""
    return each_kind(lambda job: break_the_disk(job, whole, root / f"disk-{job.kind}"))


@pytest.mark.parametrize("kind", STAGES)
def test_a_disk_that_cannot_be_written_is_named(broken, kind):
    """One line says at which file and what to do; what stood stands, and then the job ends byte-identical."""
    said = broken[kind].result()
    for fault, (what, advice) in SAYS.items():
        line = rf"error: {what} at \S*results/smoke/\S+: {re.escape(advice)}"
        assert re.fullmatch(line, said[fault]), said[fault]
    record("disk full")
    record("results read-only")
    record("results without permission to write")


def start_twice(job, whole, folder):
    """Start a job twice at the same time; return how both ended and what is left."""
    linked_copy(whole.folder, folder)
    job.clear(folder)
    both = [job.start(folder), job.start(folder)]
    statuses = [attempt.end().status for attempt in both]
    return statuses, differences(folder, whole.folder) + left_over(folder)


@pytest.fixture(scope="module")
def twice(whole, root, each_kind):
    """A job of each kind started twice."""
    return each_kind(lambda job: start_twice(job, whole, root / f"twice-{job.kind}"))


@pytest.mark.parametrize("kind", STAGES)
def test_a_job_that_runs_twice_does_no_harm(twice, kind):
    """Both end well, and what they leave is what one leaves."""
    assert twice[kind].result() == ([0, 0], [])
    record("a job started twice at the same time")
