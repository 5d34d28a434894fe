"""Feature stores: HDF5 files of keys and unit vectors, read by key."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from daitir.errors import DaitirError
from daitir.files import atomic, digest_bytes
from daitir.provenance import decode_provenance, encode_provenance, require_same

CHUNK_ROWS = 1024
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Features:
    """Unit vectors by name: ``keys`` (N, sorted), ``matrix`` (N x D float32), and who made them.

    Those of texts say also which texts were cut to the encoder's limit: ``truncated`` (N bool).
    """

    keys: list[str]
    matrix: np.ndarray
    provenance: dict[str, Any]
    truncated: np.ndarray | None = None

    def rows(self, keys: Sequence[str], source: str = "features") -> np.ndarray:
        """Return the vectors of ``keys`` in their order; a key that is missing stops the work by its name.

        ``source`` says in errors where these features lie.
        """
        place = {key: row for row, key in enumerate(self.keys)}
        missing = [key for key in keys if key not in place]
        if missing:
            raise DaitirError(
                f"{source} lack {len(missing)} of {len(keys)} keys, the first is {missing[0]!r}:"
                " remove the feature store and run again"
            )
        return self.matrix[[place[key] for key in keys]]

    @property
    def digest(self) -> str:
        """Digest of names and vectors; how they were split over files does not count."""
        return digest_bytes(["\n".join(self.keys).encode(), np.ascontiguousarray(self.matrix).tobytes()])


def write_features(
    path: Path,
    keys: Sequence[str],
    matrix: np.ndarray,
    record: dict[str, Any],
    truncated: np.ndarray | None = None,
) -> None:
    """Write one finished feature store, rows sorted by key; equal features give equal bytes."""
    matrix = np.asarray(matrix, dtype=np.float32)
    require_unit_rows(keys, matrix, path)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    names = np.array([keys[row].encode() for row in order], dtype=object)
    chunk = (max(1, min(CHUNK_ROWS, len(keys))), matrix.shape[1])
    with atomic(path) as partial, _new_store(partial) as store:
        store.attrs["provenance"] = encode_provenance(record)
        store.create_dataset("keys", data=names, dtype=h5py.string_dtype("utf-8"), track_times=False)
        store.create_dataset("features", data=matrix[order], chunks=chunk, track_times=False)
        if truncated is not None:
            store.create_dataset("truncated", data=truncated[order], track_times=False)


@contextmanager
def _new_store(path: Path) -> Iterator[h5py.File]:
    """Yield a store to fill. HDF5 crashes on a full disk, so its writes go through a file of our own."""
    with _Patient(path, "w+b") as file:
        with h5py.File(file, "w", libver="v110") as store:
            yield store
        if file.fault is not None:
            raise file.fault


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


def read_features(*paths: Path) -> Features:
    """Read one or more feature stores of one making as one table, sorted by key."""
    stores = [_read_one(Path(path)) for path in paths]
    makings = {str(path): store.provenance.get("options") for path, store in zip(paths, stores, strict=True)}
    require_same("making of features", makings)
    widths = {store.matrix.shape[1] for store in stores}
    if len(widths) > 1:
        raise DaitirError(
            f"features beside {paths[0]} have widths {sorted(widths)}: remove them and run again"
        )
    keys = [key for store in stores for key in store.keys]
    matrix = np.concatenate([store.matrix for store in stores])
    flags = [store.truncated for store in stores if store.truncated is not None]
    truncated = np.concatenate(flags) if len(flags) == len(stores) else None
    order = sorted(range(len(keys)), key=keys.__getitem__)
    names = [keys[row] for row in order]
    for one, next_ in pairwise(names):
        if one == next_:
            raise DaitirError(
                f"key {one!r} stands twice beside {paths[0]}: remove these stores and run again"
            )
    return Features(
        names, matrix[order], stores[0].provenance, None if truncated is None else truncated[order]
    )


def _read_one(path: Path) -> Features:
    with _opened(path) as store:
        keys = [key.decode() for key in store["keys"][:]]
        matrix = store["features"][:]
        truncated = store["truncated"][:] if "truncated" in store else None
        record = decode_provenance(store.attrs.get("provenance"), path)
    require_unit_rows(keys, matrix, path)
    return Features(keys, matrix, record, truncated)


def features_provenance(path: Path) -> dict[str, Any]:
    """Return who made a feature store, without reading its vectors."""
    with _opened(path) as store:
        return decode_provenance(store.attrs.get("provenance"), path)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Yield a store to read; what is wrong with it becomes one line."""
    if not path.exists():
        raise DaitirError(f"{path} does not exist: run snakemake to make it")
    try:
        with h5py.File(path) as store:
            yield store
    except (OSError, KeyError) as error:
        raise DaitirError(f"{path} cannot be read ({error}): remove it and run again") from None


def require_unit_rows(keys: Sequence[str], matrix: np.ndarray, path: Path) -> None:
    """Refuse features that are not a row a key, not finite, or not of unit length."""
    if matrix.ndim != 2 or len(matrix) != len(keys):
        raise DaitirError(
            f"{path}: {matrix.shape} features for {len(keys)} keys; remove the file and run again"
        )
    length = np.linalg.norm(matrix.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(np.abs(length - 1) <= UNIT_TOLERANCE))
    if len(wrong):
        raise DaitirError(
            f"{path}: {len(wrong)} of {len(keys)} features are not finite unit vectors, the first is"
            f" {keys[wrong[0]]!r} of length {length[wrong[0]]:.4g}: is the model or its dtype broken?"
        )


def count_features(path: Path) -> int:
    """Return how many features a store holds, without reading them."""
    with _opened(path) as store:
        return int(store["keys"].shape[0])
