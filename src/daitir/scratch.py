"""Scratch folders: what a long stage has finished so far, kept over a kill, gone when its output stands."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daitir.errors import DoneMeanwhileError
from daitir.files import canonical_json, digest_text
from daitir.locks import LOCK, locked
from daitir.provenance import versions


@contextmanager
def scratch_for(folder: Path, record: dict[str, Any]) -> Iterator[Path]:
    """Hold ``folder`` alone and yield the folder in it that belongs to these options and versions.

    Left without an error, all of it is removed; left with one, the next attempt with the same options goes on
    from it, and one with other options starts anew. While another process holds it, wait: where that one had
    the same options and came to its end, nothing is left to do (``DoneMeanwhileError``); else go on from what
    it left.
    """
    mine = folder / digest_text(canonical_json(record), canonical_json(versions()))
    seen: set[bool] = set()  # whether it held mine, too
    with locked(folder, waiting=lambda: seen.add(mine.is_dir())):
        if True in seen and not mine.is_dir():
            raise DoneMeanwhileError(
                f"the process that worked in {folder} came to its end: its output stands"
            )
        mine.mkdir(exist_ok=True)
        yield mine
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()
