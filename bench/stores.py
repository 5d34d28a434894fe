"""Feature stores against numpy's own files: ``python -m bench.stores`` times writing and reading of both.

The same array each way, the fastest of 15 calls, medians told along: a virtual machine gets memory for its
files from its host now and then, which makes any writer several times as slow for a while. Both writers wait
until the array is on the disk, both readers find it in the page cache. The store knows more: a key a row, who
made it, digests that are compared, and that every row is a unit vector.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from bench.common import Row, in_turn, parser_of, tell

from daitir.features import read_features, write_features

RECORD = {"stage": "bench", "options": {}, "inputs": {}, "versions": {}}


def save(path: Path, matrix: np.ndarray) -> None:
    """Write an array as numpy does, and wait until it is on the disk."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        np.save(file, matrix)
        file.flush()
        os.fsync(file.fileno())


def write(path: Path, keys: list[str], matrix: np.ndarray) -> None:
    """Write a feature store, as the encode stage does."""
    path.unlink(missing_ok=True)
    write_features(path, keys, matrix, RECORD)


def measure(rows: int, width: int, folder: Path) -> Iterator[Row]:
    """Yield the rows of one size."""
    matrix = np.random.default_rng(0).standard_normal((rows, width), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    keys = [f"unlabeled2017/{number:012d}.jpg" for number in range(rows)]
    store, array = folder / "store.h5", folder / "array.npy"
    for what, against, works in (
        (
            "write a feature store",
            "numpy.save",
            (lambda: write(store, keys, matrix), lambda: save(array, matrix)),
        ),
        ("read a feature store", "numpy.load", (lambda: read_features(store), lambda: np.load(array))),
    ):
        (ours, own), (numpy, other) = in_turn(
            *works, repeats=15, of_calls=lambda all_: (min(all_), median(all_))
        )
        medians = f"medians {1000 * own:.0f} ms and {1000 * other:.0f} ms"
        figures = f"{1000 * ours:.0f} ms and {1000 * numpy:.0f} ms; {medians}; {rows:,} x {width}"
        yield Row(what, against, ours / numpy, "at most 1.5", figures)


def main() -> None:
    """Time both ways."""
    parser = parser_of(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000, 1_000_000])
    parser.add_argument("--width", type=int, default=256)
    call = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for rows in call.rows:
            tell(measure(rows, call.width, Path(folder)), call.json)


if __name__ == "__main__":
    main()
