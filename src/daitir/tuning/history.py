"""History of a tuning: how it went, one row an epoch; row 0 is the encoder as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from daitir.tables import read_table, write_table

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = pa.schema(
    [
        ("epoch", pa.int16()),
        ("loss", pa.float64()),
        ("learning_rate", pa.float64()),
        ("scale", pa.float64()),
        ("terms", pa.list_(pa.float64())),
        ("weights", pa.list_(pa.float64())),
        ("recall_at_10", pa.float64()),
        ("mrr", pa.float64()),
        ("text_recall_at_10", pa.float64()),
        ("image_recall_at_10", pa.float64()),
        ("text_image_cosine", pa.float64()),
        ("text_target_cosine", pa.float64()),
        ("image_target_cosine", pa.float64()),
        ("chosen", pa.bool_()),
    ]
)


def write_tuning_history(path: Path, rows: list[dict[str, Any]], record: dict[str, Any]) -> None:
    """Write a history.

    ``loss`` and ``terms`` (as in ``tuning.TERMS``) are means over the epoch's batches, ``learning_rate`` is
    the undivided rate of its last step; ``scale`` is exp(logit scale). The rest is measured on one round of
    each held-out dialogue, among the held-out targets: Recall@10 and MRR of what is ranked later (text +
    image, or the text where no image is seen), Recall@10 of either alone, mean cosines between the views.
    ``chosen`` marks the epoch whose weights were kept.
    """
    write_table(path, pa.Table.from_pylist(rows, SCHEMA), record)


def read_tuning_history(path: Path) -> pd.DataFrame:
    """Read a history."""
    return read_table(path, SCHEMA).to_pandas()
