"""History of a training: how it went, one row an epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from daitir.tables import column_names, read_table, write_table

if TYPE_CHECKING:
    import pandas as pd

HITS = "hits_at_10"
SCHEMA = pa.schema(
    [
        ("epoch", pa.int16()),
        ("loss", pa.float64()),
        ("learning_rate", pa.float64()),
        ("scale", pa.float64()),
        ("recall_at_10", pa.float64()),
        ("mrr", pa.float64()),
        (HITS, pa.float64()),
        ("gate_mean", pa.float64()),
        ("gate_spread", pa.float64()),
        ("expert_load", pa.list_(pa.float64())),
        ("chosen", pa.bool_()),
    ]
)


def write_history(path: Path, rows: list[dict[str, Any]], record: dict[str, Any]) -> None:
    """Write a history.

    ``epoch`` counts from 1; ``loss`` is the mean over the epoch's batches and ``learning_rate`` that of
    its last step; ``scale`` is exp(logit scale). The rest is measured on the held-out dialogues:
    Recall@10 and MRR of their queries and the share of them that found their target in any round
    (Hits@10), among all images of the training corpus, the mean and standard deviation of the gate, the mean
    router weight of each expert. ``chosen`` marks the epoch whose weights were kept.
    """
    write_table(path, pa.Table.from_pylist(rows, SCHEMA), record)


def read_history(path: Path) -> pd.DataFrame:
    """Read a history; ``hits_at_10`` is null in one from before it was measured."""
    if HITS in column_names(path):
        return read_table(path, SCHEMA).to_pandas()
    older = SCHEMA.remove(SCHEMA.get_field_index(HITS))
    return read_table(path, older).to_pandas().reindex(columns=SCHEMA.names)
