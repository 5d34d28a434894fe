"""HDF5 files with a sum in front: written through a file of our own, read from memory, whole or not."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import xxhash

from daitir.errors import DaitirError

# In front of the HDF5, in the block that it leaves to its user, stands the sum of all bytes behind it: the
# library may wait for ever, or crash, over a damaged file, so none is given to it.
HEAD, MARK, BLOCK = 512, b"daitir features ", 2**20
SIGNATURE = b"\x89HDF\r\n\x1a\n"


@contextmanager
def new_store(path: Path) -> Iterator[h5py.File]:
    """Yield a store to fill. HDF5 crashes on a full disk, so its writes go through a file of our own."""
    with _Patient(path, "w+b") as file:
        with h5py.File(file, "w", libver="v110", userblock_size=HEAD) as store:
            yield store
        if file.fault is None:
            _sum_up(file)
        if file.fault is not None:
            raise file.fault


def sum_up(path: Path) -> None:
    """Put the sum of a store's bytes in front of it, as whoever changed it means them to be."""
    with path.open("r+b") as file:
        _sum_up(file)


def _sum_up(file: BinaryIO | io.FileIO) -> None:
    head = _head(file)
    file.seek(0)
    file.write(head)


def _head(file: BinaryIO | io.FileIO) -> bytes:
    """Return what stands in front of a store: our mark and the sum of the bytes behind it."""
    hasher = xxhash.xxh3_128()
    file.seek(HEAD)
    while block := file.read(BLOCK):
        hasher.update(block)
    return _head_of(hasher.hexdigest())


def _head_of(digest: str) -> bytes:
    return (MARK + digest.encode() + b"\n").ljust(HEAD, b"\0")


class _Patient(io.FileIO):
    """A file that keeps its first fault and hears out all further writes, for whoever asks at the end."""

    fault: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of ``data``."""
        rest = memoryview(data).cast("B")
        while rest and self.fault is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.fault = error
        return memoryview(data).nbytes

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.fault = self.fault or error
            return size or 0


@contextmanager
def open_store(path: Path) -> Iterator[tuple[h5py.File, np.ndarray]]:
    """Yield a store to read, and its bytes; what is wrong with it becomes one line."""
    if not path.exists():
        raise DaitirError(f"{path} does not exist: run snakemake to make it")
    try:
        data = np.fromfile(path, np.uint8)  # read once: for the sum, for HDF5 and as the rows themselves
        _require_sum(data, path)
        with h5py.File(_Bytes(data), "r") as store:
            yield store, data
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, MemoryError) as error:
        raise DaitirError(f"{path} cannot be read ({error}): remove it and run again") from None


def _require_sum(data: np.ndarray, path: Path) -> None:
    head = data[:HEAD].tobytes()
    if head.startswith(SIGNATURE):
        raise DaitirError(
            f"{path} carries no provenance: it was not written by daitir; remove it and run again"
        )
    if head != _head_of(xxhash.xxh3_128_hexdigest(data[HEAD:].data)):
        raise ValueError("its bytes are not those that were written")


class _Bytes(io.RawIOBase):
    """A file in memory, of which nothing is copied but what is asked for."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.place = data.data, 0

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: len(self.data)}[whence]
        self.place = start + place
        return self.place

    def tell(self) -> int:
        """Return the place."""
        return self.place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from here."""
        found = self.data[self.place : self.place + len(buffer)]
        buffer[: len(found)] = found
        self.place += len(found)
        return len(found)


def rows_in(features: h5py.Dataset, data: np.ndarray) -> np.ndarray:
    """Return the rows of a store out of its bytes, chunk by chunk; each is stored as it is in memory."""
    if features.dtype != np.float32 or features.chunks is None or features.chunks[1:] != features.shape[1:]:
        raise ValueError("its features are no rows of float32 in chunks")
    matrix, chunks = np.empty(features.shape, np.float32), list[Any]()
    features.id.chunk_iter(chunks.append)
    for chunk in chunks:
        rows = matrix[chunk.chunk_offset[0] : chunk.chunk_offset[0] + features.chunks[0]]
        stored = data[chunk.byte_offset : chunk.byte_offset + rows.nbytes]
        rows[:] = stored.view(np.float32).reshape(rows.shape)
    return matrix
