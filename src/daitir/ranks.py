"""Ranks: the narrow waist. One row per dialogue and round; every measure afterwards is arithmetic on it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from daitir.tables import read_table, table_provenance, write_table

TOP = 10
SCHEMA = pa.schema(
    [
        ("dialogue_id", pa.string()),
        ("round", pa.int16()),
        ("seed", pa.int16()),
        ("target", pa.string()),
        ("rank", pa.int32()),
        ("ties", pa.int32()),
        ("target_score", pa.float32()),
        ("top_keys", pa.list_(pa.string())),
        ("top_scores", pa.list_(pa.float32())),
        ("gate", pa.float32()),
        ("router", pa.list_(pa.float32())),
        ("similarity", pa.float32()),
    ]
)


def write_ranks(path: Path, frame: pd.DataFrame, record: dict[str, Any]) -> None:
    """Write a ranks table, sorted by seed, dialogue and round.

    ``seed`` is that of the trained fusion (0 for a method that is not trained). ``gate`` and ``router`` are
    null where the method has none; ``similarity`` is cos(text, image), null where no image is used.
    """
    ordered = frame.sort_values(["seed", "dialogue_id", "round"])[SCHEMA.names]
    write_table(path, pa.Table.from_pandas(ordered, SCHEMA, preserve_index=False), record)


def read_ranks(path: Path) -> pd.DataFrame:
    """Read a ranks table."""
    return read_table(path, SCHEMA).to_pandas()


def ranks_provenance(path: Path) -> dict[str, Any]:
    """Return who made a ranks table."""
    return table_provenance(path)
