"""Data as scripts: a page on a disk may load scripts and pictures, but it may read no other file.

A file of data is one call, ``take(name, value)``. Numbers and long texts in the value are packed: as bytes,
compressed (RFC 1950) and written in base64.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from daitir.files import canonical_json

SCALE = 10_000
UNSIGNED = ("uint8", "uint16", "uint32")
SIGNED = ("int16", "int32")


def pack_text(value: Any) -> str:
    """Return a JSON value, packed."""
    return _pack(canonical_json(value).encode())


def pack_counts(numbers: np.ndarray) -> dict[str, str]:
    """Return whole numbers, none below 0, packed in the smallest type that holds them."""
    type_ = next(name for name in UNSIGNED if numbers.max(initial=0) <= np.iinfo(name).max)
    return _packed_as(numbers, type_)


def pack_values(values: np.ndarray) -> dict[str, str]:
    """Return numbers to four decimals, packed as whole multiples of 1/10,000.

    What is not finite is absent: the lowest number of the type.
    """
    known = np.isfinite(values)
    multiples = np.zeros(values.shape, np.int64)
    multiples[known] = np.round(values[known].astype(np.float64) * SCALE).astype(np.int64)
    largest = np.abs(multiples).max(initial=0)
    type_ = next(name for name in SIGNED if largest <= np.iinfo(name).max)
    return _packed_as(np.where(known, multiples, np.iinfo(type_).min), type_)


def _packed_as(numbers: np.ndarray, type_: str) -> dict[str, str]:
    little_endian = np.dtype(type_).newbyteorder("<")
    return {"type": type_, "data": _pack(numbers.astype(little_endian).tobytes())}


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def write_data(folder: Path, name: str, value: Any) -> None:
    """Write one file of data, ``data/{name}.js`` below the folder of the page."""
    path = folder / "data" / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))  # ASCII: no encoding can be mistaken
    path.write_text(f"take({json.dumps(name)},{text});\n", encoding="ascii")
