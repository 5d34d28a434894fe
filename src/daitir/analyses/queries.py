"""Truncated queries and ties: what the encoder did not see of a query, and when its scores decide nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from daitir.analyses.subject import Subject, require_all
from daitir.analyses.tools import Drawing, lines_by_system
from daitir.charts import Chart
from daitir.errors import DaitirError
from daitir.features import read_features
from daitir.queries import query_key


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system, round): share of queries cut to the encoder's limit, share with ties, how many tie.

    Shares are over the dialogues of a round, and over the seeds of a fusion.
    """
    for system, sources in subject.sources.items():
        frame = subject.ranks(system)
        cut = None if sources.queries is None else truncated(frame, sources.queries)
        for round_, own in frame.groupby("round"):
            yield {
                "dialogues": subject.dialogues,
                "system": system,
                "round": int(str(round_)),
                "queries": len(own),
                "truncated": None if cut is None else cut[own.index].mean(),
                "tied": (own["ties"] > 0).mean(),
                "ties_mean": own["ties"].mean(),
                "ties_largest": own["ties"].max(),
            }


def truncated(frame: pd.DataFrame, features: Path) -> pd.Series:
    """Return for each row of a ranks table whether the encoder cut its query text."""
    store = read_features(features)
    if store.truncated is None:
        raise DaitirError(f"{features} does not say which texts were cut: remove it and run again")
    known = dict(zip(store.keys, store.truncated, strict=True))
    keys = [
        query_key(name, round_) for name, round_ in zip(frame["dialogue_id"], frame["round"], strict=True)
    ]
    require_all(keys, known, f"{features} lacks", "queries")
    return pd.Series([known[key] for key in keys], frame.index, dtype=float)


def figure(table: pd.DataFrame, drawing: Drawing) -> Chart:
    """Share of truncated queries by round."""
    lines = lines_by_system(table.dropna(subset="truncated"), drawing, "round", ["truncated"] * 3)
    return Chart(f"Queries cut to the encoder's limit, {drawing.dialogues}", "round", lines, per_cent=True)
