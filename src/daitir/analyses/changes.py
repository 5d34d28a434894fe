"""Changes: how far ranks move against the baseline, from the largest gain to the largest loss."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing, lines_by_system
from daitir.charts import Chart
from daitir.evaluation.rankings import Ranking, seed_pairs
from daitir.metrics import rank_change

LEVELS = np.linspace(0, 1, 21)


def changes(ranking: Ranking, baseline: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Ranks lost (negative: gained) and the same as ln(rank / baseline rank), D x R, averaged over seeds."""
    pairs = seed_pairs(ranking, baseline)
    lost_DR = np.mean([rank_change(one, other) for _, one, other in pairs], axis=0)
    return lost_DR, np.mean([np.log(one / other) for _, one, other in pairs], axis=0)


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system with a baseline, round, quantile by 5 %): ranks lost, and ln(rank / baseline's rank)."""
    for ranking, other in subject.pairs():
        lost_DR, log_DR = changes(ranking, other)
        for place, round_ in enumerate(ranking.rounds):
            quantiles = zip(
                LEVELS,
                np.quantile(lost_DR[:, place], LEVELS),
                np.quantile(log_DR[:, place], LEVELS),
                strict=True,
            )
            for level, lost, log in quantiles:
                yield {
                    "dialogues": subject.dialogues,
                    "system": ranking.system,
                    "baseline": other.system,
                    "round": round_,
                    "quantile": round(float(level), 2),
                    "ranks_lost": lost,
                    "log_ratio": log,
                }


def figure(table: pd.DataFrame, drawing: Drawing) -> Chart:
    """ln(rank / baseline's rank) at the last round, queries sorted by it: below zero they gain."""
    chosen = table[table["round"] == table["round"].max()]
    lines = lines_by_system(chosen, drawing, "quantile", ["log_ratio"] * 3)
    title = f"Change against the baseline, ln of the ranks' ratio, {drawing.dialogues}"
    return Chart(title, "share of queries, those that gain first", lines, per_cent=False)
