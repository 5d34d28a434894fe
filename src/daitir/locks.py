"""Locks between processes, on one machine or on several that share a file system; a kill frees them.

A cluster may run a job twice: its node was given up for dead and lives on, or the submitting process was
killed and submits again what still waits in the queue. The second waits for the first.
"""

import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from daitir.errors import DaitirError

LOCK = ".lock"
PAUSE = 0.5  # seconds between two looks at a lock
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def locked(folder: Path, waiting: Callable[[], object] | None = None) -> Iterator[Path]:
    """Hold a scratch folder alone; while another process holds it, wait and call ``waiting`` at every look.

    A folder that is empty at the end is removed.
    """
    try:
        with held(folder / LOCK, folder, waiting):
            yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def held(lock: Path, what: Path, waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold the lock file of ``what``, made for it and removed at the end; wait while another has it."""
    stream = _take(lock)
    if stream is None:
        print(f"note: waiting for {_holder(lock)}, which works on {what}", file=sys.stderr, flush=True)
    while stream is None:
        if waiting is not None:
            waiting()
        time.sleep(PAUSE)
        stream = _take(lock)
    with stream:
        with suppress(OSError):  # a full disk is found by those who write more than a name
            stream.write(_myself().encode())
        try:
            yield
        finally:
            lock.unlink(
                missing_ok=True
            )  # before the lock is free: who waited for this file sees that it is gone


def _take(lock: Path) -> BinaryIO | None:
    """Return the lock file, opened and locked; None while another process has it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        stream = lock.open("ab", buffering=0)
    except FileNotFoundError:  # the folder was removed under our hands
        return None
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(stream.fileno()).st_ino == lock.stat().st_ino:
            stream.truncate(0)
            return stream
    except (BlockingIOError, FileNotFoundError):  # held, or removed while we took it
        pass
    except OSError as error:
        stream.close()
        if error.errno not in NO_LOCKS:
            raise
        raise DaitirError(
            f"{lock.parent}: its file system knows no locks, which keep jobs that run twice from harm: mount"
            " it with them (Lustre: `flock`) or set `results:` to a folder elsewhere"
        ) from None
    stream.close()
    return None


def _myself() -> str:
    job = os.environ.get("SLURM_JOB_ID")
    where = f"process {os.getpid()} on {socket.gethostname()}"
    return where if job is None else f"{where} (SLURM job {job})"


def _holder(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8") or "another process"
    except FileNotFoundError:
        return "another process"
