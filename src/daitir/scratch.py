"""Scratch folders: what a long stage has finished so far, kept over a kill, gone when its output stands."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daitir.files import canonical_json, digest_text, locked
from daitir.provenance import versions


@contextmanager
def scratch_for(folder: Path, record: dict[str, Any]) -> Iterator[Path]:
    """Hold ``folder`` alone and yield the folder in it that belongs to these options and versions.

    Left without an error, all of it is removed; left with one, the next attempt with the same options goes on
    from it, and one with other options starts anew.
    """
    with locked(folder):
        mine = folder / digest_text(canonical_json(record), canonical_json(versions()))
        mine.mkdir(exist_ok=True)
        yield mine
        shutil.rmtree(folder)
