"""Processes of this machine, read from /proc."""

import os
import signal
from pathlib import Path


def processes() -> list[int]:
    """Return all that run now."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment a process was started with; none of one that is gone or another's."""
    words = _read(pid, "environ").split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def command_of(pid: int) -> list[str]:
    """Return the command line of a process."""
    return _read(pid, "cmdline").split("\0")


def name_of(pid: int) -> str:
    """Return the name of a process's program."""
    return _read(pid, "comm").strip()


def parent_of(pid: int) -> int:
    """Return the parent of a process, 0 of one that is gone."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def descendants(*roots: int) -> list[int]:
    """Return the children of processes, and theirs."""
    parents = {pid: parent_of(pid) for pid in processes()}
    found, new = set(roots), set(roots)
    while new := {pid for pid, parent in parents.items() if parent in new} - found:
        found |= new
    return sorted(found - set(roots))


def kill(number: signal.Signals, *pids: int) -> None:
    """Send a signal to processes; those that are gone are none."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
