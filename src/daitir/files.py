"""Files that are either finished or absent, and their digests."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from daitir.errors import DISK_IS_FULL, DaitirError
from daitir.locks import held

WHOLE_DIGEST_LIMIT = 64 * 2**20
BLOCK = 64 * 2**10
BLOCKS = 65


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to, and move it into place on success.

    A killed job leaves its partial file; the next attempt writes over it. Two that write the same file do so
    one after the other.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with naming(path), held(path.with_name(f".{path.name}.lock"), path):
        yield partial
        flush_to_disk(partial)
        partial.replace(path)
        flush_to_disk(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give the errors of a full disk the name of the file that is written; the system leaves it out."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_IS_FULL and error.filename is None:
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as one finished file."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_text(*parts: str) -> str:
    """Return a 16-digit digest of texts; the border between two texts counts."""
    return digest_bytes(part.encode() for part in parts)


def digest_bytes(parts: Iterable[bytes]) -> str:
    """Return a 16-digit digest of byte strings, each counted with its length."""
    hasher = hashlib.blake2b(digest_size=8)
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little"))
        hasher.update(part)
    return hasher.hexdigest()


@cache
def digest_model(model: Path) -> str:
    """Fingerprint of a model directory: names, sizes and contents of its files.

    Of a file above 64 MiB only 65 blocks of 64 KiB are read, evenly spread from the first to the last, so
    that planning stays fast for models of many gigabytes; their sizes and headers count in full.
    """
    files = sorted(path for path in Path(model).rglob("*") if path.is_file() and path.suffix != ".md")
    if not files:
        raise DaitirError(f"model {model} is an empty folder: give a model directory or a hub id")
    return digest_bytes(
        part for file in files for part in (file.relative_to(model).as_posix().encode(), _sample(file))
    )


def _sample(file: Path) -> bytes:
    size = file.stat().st_size
    if size <= WHOLE_DIGEST_LIMIT:
        return file.read_bytes()
    with file.open("rb") as stream:
        return size.to_bytes(8, "little") + b"".join(_block(stream, size, place) for place in range(BLOCKS))


def _block(stream: BinaryIO, size: int, place: int) -> bytes:
    stream.seek((size - BLOCK) * place // (BLOCKS - 1))
    return stream.read(BLOCK)
