"""HDF5 files of one large matrix and what belongs to it, read and written as fast as the matrix alone.

The matrix lies in one piece, which is read straight into memory; HDF5 sees only the bytes around it. In
front, in the block that HDF5 leaves to its user, stands a head: where the matrix lies, its digest, and the
digest of all other bytes. The library may wait for ever, or crash, over a damaged file, so none is given to
it.
"""

import ctypes
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import h5py
import numpy as np
import xxhash

from daitir.errors import DaitirError

HEAD, MARK = 512, b"daitir matrix"
BLOCK, LARGE = 2**20, 2**24  # bytes read and digested together, and from which on room is asked for at once
KEEP_SIZE = 1  # of Linux's fallocate: the file is as long as what was written
OLDER_MARK, SIGNATURE = b"daitir features", b"\x89HDF\r\n\x1a\n"


class Extent(NamedTuple):
    """Where the matrix of a store lies: its first byte, their number, and their digest."""

    start: int
    size: int
    digest: str


class Store(NamedTuple):
    """A store to read: HDF5 without its matrix, and where that lies in which file."""

    around: h5py.File
    file: BinaryIO
    matrix: Extent


@contextmanager
def new_store(path: Path, name: str, matrix: np.ndarray, digest: Callable[[], str]) -> Iterator[h5py.File]:
    """Yield a store that has its matrix, to fill with what belongs to it; ``digest`` is asked for at the end.

    HDF5 crashes on a full disk, so its writes go through a file of our own. What fails leaves no file.
    """
    try:
        with _Patient(path, "w+b") as file:
            with h5py.File(file, "w", libver="v110", userblock_size=HEAD) as store:
                place = store.create_dataset(name, data=matrix, track_times=False).id.get_offset()
                yield store
            if file.fault is None:
                write_head(file, Extent(place or HEAD, matrix.nbytes, digest()))
            if file.fault is not None:
                raise file.fault
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_head(file: BinaryIO | io.FileIO, matrix: Extent) -> None:
    """Put its head in front of a store."""
    head = _head(matrix, _read_around(file, matrix))
    file.seek(0)
    file.write(head)


def _head(matrix: Extent, around: list[np.ndarray]) -> bytes:
    said = b"%s %d %d %s " % (MARK, matrix.start, matrix.size, matrix.digest.encode())
    hasher = xxhash.xxh3_128(said)
    for piece in around:
        hasher.update(piece.data)
    return (said + hasher.hexdigest().encode() + b"\n").ljust(HEAD, b"\0")


def _read_around(file: BinaryIO | io.FileIO, matrix: Extent) -> list[np.ndarray]:
    """Return the bytes between the head and the matrix, and those behind it."""
    file.seek(HEAD)
    before = np.fromfile(file, np.uint8, matrix.start - HEAD)
    file.seek(matrix.start + matrix.size)
    return [before, np.fromfile(file, np.uint8)]


class _Patient(io.FileIO):
    """A file that keeps its first fault and hears out all further writes, for whoever asks at the end."""

    fault: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of ``data``."""
        rest = memoryview(data).cast("B")
        if rest.nbytes >= LARGE:
            self._reserve(rest.nbytes)
        while rest and self.fault is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.fault = error
        return memoryview(data).nbytes

    def _reserve(self, size: int) -> None:
        """Ask for the room of a large piece at once, as numpy does, which is faster.

        What Linux cannot give at once, or no other system can, shows when it is written.
        """
        ask = getattr(ctypes.CDLL(None), "fallocate", None)
        if ask is not None:
            ask(self.fileno(), KEEP_SIZE, ctypes.c_long(self.tell()), ctypes.c_long(size))

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.fault = self.fault or error
            return size or 0


@contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """Yield a store to read; what is wrong with it becomes one line. The matrix is not looked at."""
    if not path.exists():
        raise DaitirError(f"{path} does not exist: run snakemake to make it")
    try:
        with path.open("rb", buffering=0) as file:
            matrix = _require_head(file, path)
            around = _read_around(file, matrix)
            file.seek(0)
            if file.read(HEAD) != _head(matrix, around):
                raise ValueError("its bytes are not those that were written")
            pieces = {HEAD: around[0].data, matrix.start + matrix.size: around[1].data}
            with h5py.File(_Pieces(pieces, os.fstat(file.fileno()).st_size), "r") as store:
                yield Store(store, file, matrix)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, MemoryError) as error:
        raise DaitirError(f"{path} cannot be read ({error}): remove it and run again") from None


def _require_head(file: BinaryIO | io.FileIO, path: Path) -> Extent:
    head = file.read(HEAD)
    if head.startswith(SIGNATURE):
        raise DaitirError(
            f"{path} carries no provenance: it was not written by daitir; remove it and run again"
        )
    if head.startswith(OLDER_MARK):
        raise DaitirError(f"{path} is of an older daitir, which wrote otherwise: remove it and run again")
    words = head.removeprefix(MARK).split()
    if not head.startswith(MARK) or len(words) < 3:
        raise ValueError("its first bytes are not those that were written")
    start, size = int(words[0]), int(words[1])
    if not HEAD <= start <= start + size <= os.fstat(file.fileno()).st_size:
        raise ValueError("it is shorter than what was written")
    return Extent(start, size, words[2].decode("ascii"))


class _Pieces(io.RawIOBase):
    """A file of which some pieces are in memory; what lies between them is not for HDF5."""

    def __init__(self, pieces: dict[int, memoryview], size: int) -> None:
        self.pieces, self.size, self.place = pieces, size, 0

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence]
        self.place = start + place
        return self.place

    def tell(self) -> int:
        """Return the place."""
        return self.place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from here; what is in no piece reads as nothing."""
        count = 0
        for start, piece in self.pieces.items():
            if start <= self.place < start + len(piece):
                found = piece[self.place - start :][: len(buffer)]
                count = len(found)
                buffer[:count] = found
        buffer[count:] = bytes(len(buffer) - count)
        self.place += len(buffer)
        return len(buffer)


def read_matrix(store: Store, name: str) -> np.ndarray:
    """Return the matrix of a store (float32, rows first), which must be the one that was written."""
    found, hasher = np.empty(shape_of(store, name), np.float32), xxhash.xxh3_128()
    rest = found.data.cast("B") if found.size else memoryview(b"")
    store.file.seek(store.matrix.start)
    while rest:
        count = store.file.readinto(rest[:BLOCK])  # type: ignore[attr-defined]
        hasher.update(rest[:count])  # while it is in the processor's cache
        rest = rest[count:] if count else rest[:0]
    if hasher.hexdigest() != store.matrix.digest:
        raise ValueError("its bytes are not those that were written")
    return found


def shape_of(store: Store, name: str) -> tuple[int, ...]:
    """Return the shape of a store's matrix, which must lie where its head says."""
    matrix = store.around[name]
    place = matrix.id.get_offset() or store.matrix.start
    if matrix.dtype != np.float32 or (place, matrix.nbytes) != store.matrix[:2]:
        raise ValueError(f"its {name} are no float32 in one piece")
    return tuple(matrix.shape)


def digest_matrix(matrix: np.ndarray) -> str:
    """Return the digest of a matrix's bytes, row by row."""
    whole = np.ascontiguousarray(matrix)
    return xxhash.xxh3_128_hexdigest(whole.data if whole.nbytes else b"")
