"""The steps in which a process writes its files: counted, noted, and at a chosen one it kills itself.

What the system is asked for is a step: to flush a file, to rename, to remove. Between two of them nothing is
certain but what has been flushed, so a process that is killed anywhere leaves what it leaves at one of these.
"""

import importlib
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

HALF, WHOLE = "half of it written", "written, not flushed"
BEFORE, AFTER = "before its rename", "renamed"
REMOVED = "removed"
BEGUN = "work begun"


class Step(NamedTuple):
    """What a process did, and with which file."""

    what: str
    path: str


class Steps:
    """Counts the steps of this process below ``folder``; at the number ``last`` it dies."""

    def __init__(self, folder: Path, notes: Path, last: int | None) -> None:
        self.folder, self.last, self.number = f"{folder}/", last, 0
        self.notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def count(self, what: str, path: str) -> None:
        """Note a step, and die if it is the last."""
        if path.startswith(self.folder):
            self.number += 1
            self.note(what, path)
            if self.number == self.last:
                if what == HALF:
                    os.truncate(path, Path(path).stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)

    def note(self, what: str, path: str) -> None:
        """Write a line that outlives the process."""
        os.write(self.notes, f"{what}\t{path}\n".encode())

    def watch(self) -> None:
        """Count from now on what this process asks of the system."""
        os.fsync = self._flushing(os.fsync)  # type: ignore[assignment]
        for name in ("rename", "replace"):
            setattr(os, name, self._renaming(getattr(os, name)))
        for name in ("unlink", "remove", "rmdir"):
            setattr(os, name, self._removing(getattr(os, name)))

    def watch_work(self, place: str) -> None:
        """Note every call of a method, ``module:Class.method``, before it begins."""
        module, _, name = place.partition(":")
        owner, _, method = name.partition(".")
        made = getattr(importlib.import_module(module), owner)
        working = getattr(made, method)

        def call(*given: Any, **named: Any) -> Any:
            self.note(BEGUN, place)
            return working(*given, **named)

        setattr(made, method, call)

    def _flushing(self, flush: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                self.count(HALF, path)
                self.count(WHOLE, path)
            flush(descriptor)

        return call

    def _renaming(self, rename: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any, **named: Any) -> None:
            self.count(BEFORE, str(Path(target).absolute()))
            rename(source, target, **named)
            self.count(AFTER, str(Path(target).absolute()))

        return call

    def _removing(self, remove: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *, dir_fd: int | None = None) -> None:
            folder = Path.cwd() if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink()
            remove(path, dir_fd=dir_fd)
            self.count(REMOVED, str(folder / path))

        return call


def read_notes(notes: Path) -> list[Step]:
    """Return what a process noted, whether it lives or not, and the renames that it died too soon to note."""
    steps = [Step(*line.split("\t")) for line in notes.read_text().splitlines()]
    last = {step.path: step.what for step in steps if step.what != BEGUN}
    unsaid = (Path(path) for path, what in last.items() if what == BEFORE)
    return steps + [Step(AFTER, str(path)) for path in unsaid if _is_renamed(path)]


def _is_renamed(path: Path) -> bool:
    return path.exists() and not path.with_name(f".{path.name}.partial").exists()
