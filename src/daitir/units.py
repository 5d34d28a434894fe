"""Are these unit vectors, and which: checked and digested in one pass."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xxhash

from daitir.errors import DaitirError

UNIT_TOLERANCE = 1e-3
ROWS = 256  # looked at together


def require_row_a_key(keys: Sequence[str] | np.ndarray, matrix: np.ndarray, path: Path) -> None:
    """Refuse features that are not a row a key."""
    if matrix.ndim != 2 or len(matrix) != len(keys):
        raise DaitirError(
            f"{path}: {matrix.shape} features for {len(keys)} keys; remove the file and run again"
        )


def require_unit_rows(names: np.ndarray, matrix: np.ndarray, path: Path) -> str:
    """Refuse features that are not a row a key, not finite, or not of unit length; return their digest."""
    require_row_a_key(names, matrix, path)
    hasher, length = xxhash.xxh3_128(), np.empty(len(matrix), np.float32)
    for start in range(0, len(matrix), ROWS):  # both while a block is in the processor's cache
        rows = np.ascontiguousarray(matrix[start : start + ROWS])
        length[start : start + ROWS] = np.sqrt(np.einsum("rd,rd->r", rows, rows))
        hasher.update(rows.data if rows.nbytes else b"")
    wrong = np.flatnonzero(~(np.abs(length - 1) <= UNIT_TOLERANCE))
    if len(wrong):
        first, long = names[wrong[0]].decode(), length[wrong[0]]
        raise DaitirError(
            f"{path}: {len(wrong)} of {len(names)} features are not finite unit vectors, the first is"
            f" {first!r} of length {long:.4g}: is the model or its dtype broken?"
        )
    return hasher.hexdigest()
