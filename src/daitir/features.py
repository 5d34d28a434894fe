"""Feature stores: HDF5 files of keys and unit vectors, read by key."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash

from daitir.errors import DaitirError
from daitir.files import atomic
from daitir.provenance import require_same
from daitir.seals import content_digest, seal, unseal
from daitir.stores import Store, digest_matrix, new_store, open_store, read_matrix, shape_of
from daitir.units import require_row_a_key, require_unit_rows

MATRIX = "features"
PART_ROWS, PART_BYTES = 1024, 2**25


@dataclass(frozen=True)
class Features:
    """Unit vectors by name: ``keys`` (N, sorted), ``matrix`` (N x D float32), and who made them.

    ``names`` are the keys as UTF-8. Those of texts say also which texts were cut to the encoder's limit:
    ``truncated`` (N bool).
    """

    names: np.ndarray
    matrix: np.ndarray
    provenance: dict[str, Any]
    digest: str  # of names and vectors; how they were split over files does not count
    truncated: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """N and D."""
        return self.matrix.shape

    @cached_property
    def keys(self) -> list[str]:
        """The keys as texts, made when they are asked for."""
        return _texts(self.names)

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


def _names_of(keys: Sequence[str]) -> np.ndarray:
    try:
        return np.array(keys, dtype="S" if len(keys) else "S1")  # fast, and for ASCII alone
    except UnicodeEncodeError:
        return np.array([key.encode() for key in keys])


def _texts(names: np.ndarray) -> list[str]:
    return [name.decode() for name in names.tolist()]


def _content(names: np.ndarray, matrix_digest: str, truncated: np.ndarray | None) -> str:
    return content_digest([names, matrix_digest.encode(), b"" if truncated is None else truncated])


def write_features(
    path: Path,
    keys: Sequence[str],
    matrix: np.ndarray,
    record: dict[str, Any],
    truncated: np.ndarray | None = None,
) -> None:
    """Write one finished feature store, rows sorted by key; equal features give equal bytes."""
    matrix = np.asarray(matrix, dtype=np.float32)
    require_row_a_key(keys, matrix, path)
    names, matrix, truncated = _sorted(_names_of(keys), matrix, truncated)
    fixed_text = h5py.string_dtype("utf-8", names.dtype.itemsize)
    with ThreadPoolExecutor(1) as beside:  # the vectors are checked while they are written
        checked = beside.submit(require_unit_rows, names, matrix, path)
        with atomic(path) as partial, new_store(partial, MATRIX, matrix, checked.result) as store:
            store.attrs["provenance"] = seal(record, path, _content(names, checked.result(), truncated))
            store.create_dataset("keys", data=names.astype(fixed_text), track_times=False)
            if truncated is not None:
                store.create_dataset("truncated", data=truncated, track_times=False)


def _sorted(
    names: np.ndarray, matrix: np.ndarray, truncated: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the rows of a store in the order of their keys; UTF-8 sorts as its texts do."""
    if (names[:-1] < names[1:]).all():
        return names, np.ascontiguousarray(matrix), truncated
    order = np.argsort(names, kind="stable")
    return names[order], matrix[order], None if truncated is None else truncated[order]


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
    names, matrix, truncated = _sorted(
        np.concatenate([store.names for store in stores]),
        np.concatenate([store.matrix for store in stores]),
        np.concatenate(flags) if len(flags) == len(stores) else None,
    )
    twice = np.flatnonzero(names[:-1] == names[1:])
    if len(twice):
        raise DaitirError(
            f"key {names[twice[0]].decode()!r} stands twice beside {paths[0]}: remove these stores and run"
            " again"
        )
    digest = _content(names, digest_matrix(matrix), truncated)
    return Features(names, matrix, stores[0].provenance, digest, truncated)


def _read_one(path: Path) -> Features:
    with open_store(path) as store:
        sealed = unseal(store.around.attrs.get("provenance"), path)
        names, truncated = _names_and_flags(store)
        matrix = read_matrix(store, MATRIX)
        found = _content(names, store.matrix.digest, truncated)
        if found != sealed.content:
            require_unit_rows(names, matrix, path)
        sealed.require(found)
    return Features(names, matrix, sealed.record, found, truncated)


def _names_and_flags(store: Store) -> tuple[np.ndarray, np.ndarray | None]:
    flags = store.around.get("truncated")
    return store.around["keys"][:], None if flags is None else flags[:]


class StoredFeatures:
    """Features whose vectors stay in their file until they are asked for; N of them, float32.

    Whoever goes through all of them, or asks for the ``matrix``, is stopped if they are not those that were
    written. As the corpus of `scoring.rank_targets` they need no more memory than a part of them.
    """

    def __init__(self, path: Path) -> None:
        with open_store(path) as store:
            sealed = unseal(store.around.attrs.get("provenance"), path)
            self.names, flags = _names_and_flags(store)
            self.shape, self.extent = shape_of(store, MATRIX), store.matrix
            self.digest = _content(self.names, self.extent.digest, flags)
        self.path, self.provenance = path, sealed.record
        if self.digest != sealed.content:
            read_features(path)  # says what is wrong

    @cached_property
    def keys(self) -> list[str]:
        """The keys, sorted."""
        return _texts(self.names)

    @cached_property
    def matrix(self) -> np.ndarray:
        """All vectors, N x D."""
        store = read_features(self.path)
        if store.digest != self.digest:
            raise self._changed()
        return store.matrix

    def __len__(self) -> int:
        """Return N."""
        return self.shape[0]

    def __getitem__(self, place_P: np.ndarray) -> np.ndarray:
        """Return the vectors at some places, P x D."""
        own, inverse_P = np.unique(place_P, return_inverse=True)
        row = 4 * self.shape[1]
        with self.path.open("rb", buffering=0) as file:
            data = [os.pread(file.fileno(), row, self.extent.start + row * int(place)) for place in own]
        try:
            found = np.frombuffer(b"".join(data), np.float32).reshape(len(own), self.shape[1])
        except ValueError:
            raise self._changed() from None
        return found[inverse_P]

    def parts(self) -> Iterator[np.ndarray]:
        """Yield all vectors in order, some thousand at a time."""
        row = 4 * self.shape[1]
        hasher, step = xxhash.xxh3_128(), max(1, PART_BYTES // (row * PART_ROWS)) * PART_ROWS
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.extent.start)
            for start in range(0, len(self), step):
                part = np.fromfile(file, np.float32, min(step, len(self) - start) * self.shape[1])
                hasher.update(part.data)
                if part.nbytes % row:
                    raise self._changed()
                yield part.reshape(-1, self.shape[1])
        if hasher.hexdigest() != self.extent.digest:
            raise self._changed()

    def _changed(self) -> DaitirError:
        return DaitirError(
            f"{self.path} is damaged, its vectors are not what was written: remove it and run again"
        )


def features_provenance(path: Path) -> dict[str, Any]:
    """Return who made a feature store, without reading its vectors."""
    with open_store(path) as store:
        return unseal(store.around.attrs.get("provenance"), path).record


def count_features(path: Path) -> int:
    """Return how many features a store holds, without reading them."""
    with open_store(path) as store:
        return shape_of(store, MATRIX)[0]
