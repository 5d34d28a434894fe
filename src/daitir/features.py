"""Feature stores: HDF5 files of keys and unit vectors, read by key."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from daitir.errors import DaitirError
from daitir.files import atomic
from daitir.provenance import require_same
from daitir.seals import content_digest, seal, unseal
from daitir.stores import new_store, open_store, rows_in

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
    content: str | None = None

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
        return self.content or _content(self.keys, self.matrix, self.truncated)


def _content(keys: Sequence[str], matrix: np.ndarray, truncated: np.ndarray | None) -> str:
    names, flags = "\n".join(keys).encode(), b"" if truncated is None else np.ascontiguousarray(truncated)
    return content_digest([names, np.ascontiguousarray(matrix), flags])


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
    keys, matrix, truncated = _sorted(keys, matrix, truncated)
    names = [key.encode() for key in keys]
    text = h5py.string_dtype("utf-8", max(map(len, names), default=1))
    chunk = (max(1, min(CHUNK_ROWS, len(keys))), matrix.shape[1])
    sealed = seal(record, path, _content(keys, matrix, truncated))
    with atomic(path) as partial, new_store(partial) as store:
        store.attrs["provenance"] = sealed
        store.create_dataset("keys", data=np.array(names, dtype=text), track_times=False)
        store.create_dataset("features", data=matrix, chunks=chunk, track_times=False)
        if truncated is not None:
            store.create_dataset("truncated", data=truncated, track_times=False)


def _sorted(
    keys: Sequence[str], matrix: np.ndarray, truncated: np.ndarray | None
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Return the rows of a store in the order of their keys."""
    if all(one < next_ for one, next_ in pairwise(keys)):
        return list(keys), matrix, truncated
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return [keys[row] for row in order], matrix[order], None if truncated is None else truncated[order]


def read_features(*paths: Path) -> Features:
    """Read one or more feature stores of one making as one table, sorted by key."""
    stores = [_read_one(Path(path)) for path in paths]
    if len(stores) == 1:
        return stores[0]
    makings = {str(path): store.provenance.get("options") for path, store in zip(paths, stores, strict=True)}
    require_same("making of features", makings)
    widths = {store.matrix.shape[1] for store in stores}
    if len(widths) > 1:
        raise DaitirError(
            f"features beside {paths[0]} have widths {sorted(widths)}: remove them and run again"
        )
    flags = [store.truncated for store in stores if store.truncated is not None]
    keys, matrix, truncated = _sorted(
        [key for store in stores for key in store.keys],
        np.concatenate([store.matrix for store in stores]),
        np.concatenate(flags) if len(flags) == len(stores) else None,
    )
    for one, next_ in pairwise(keys):
        if one == next_:
            raise DaitirError(
                f"key {one!r} stands twice beside {paths[0]}: remove these stores and run again"
            )
    return Features(keys, matrix, stores[0].provenance, truncated)


def _read_one(path: Path) -> Features:
    with open_store(path) as (store, data):
        sealed = unseal(store.attrs.get("provenance"), path)
        keys = [key.decode() for key in store["keys"][:].tolist()]
        matrix = rows_in(store["features"], data)
        truncated = store["truncated"][:] if "truncated" in store else None
        found = _content(keys, matrix, truncated)
        if found != sealed.content:
            require_unit_rows(keys, matrix, path)
        sealed.require(found)
    return Features(keys, matrix, sealed.record, truncated, found)


def features_provenance(path: Path) -> dict[str, Any]:
    """Return who made a feature store, without reading its vectors."""
    with open_store(path) as (store, _):
        return unseal(store.attrs.get("provenance"), path).record


def require_unit_rows(keys: Sequence[str], matrix: np.ndarray, path: Path) -> None:
    """Refuse features that are not a row a key, not finite, or not of unit length."""
    if matrix.ndim != 2 or len(matrix) != len(keys):
        raise DaitirError(
            f"{path}: {matrix.shape} features for {len(keys)} keys; remove the file and run again"
        )
    blocks = (matrix[start : start + CHUNK_ROWS] for start in range(0, len(matrix), CHUNK_ROWS))
    lengths = [np.linalg.norm(block.astype(np.float64), axis=1) for block in blocks]
    length = np.concatenate([*lengths, np.empty(0)])
    wrong = np.flatnonzero(~(np.abs(length - 1) <= UNIT_TOLERANCE))
    if len(wrong):
        raise DaitirError(
            f"{path}: {len(wrong)} of {len(keys)} features are not finite unit vectors, the first is"
            f" {keys[wrong[0]]!r} of length {length[wrong[0]]:.4g}: is the model or its dtype broken?"
        )


def count_features(path: Path) -> int:
    """Return how many features a store holds, without reading them."""
    with open_store(path) as (store, _):
        return int(store["keys"].shape[0])
