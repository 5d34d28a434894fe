"""Measures of ranks: arithmetic on a matrix of one rank a dialogue and round, values per dialogue first.

Every function returns a value a dialogue (and round); a mean over dialogues makes the figure of a table,
a bootstrap over dialogues its interval. Ranks are 1-based and 1 is best.

Shape suffixes: D dialogues, R rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daitir.errors import DaitirError

if TYPE_CHECKING:
    import pandas as pd


def rank_matrix(frame: pd.DataFrame, column: str = "rank") -> pd.DataFrame:
    """Return a column of a ranks table as a matrix: a row a dialogue, a column a round; of one seed.

    Every dialogue must have every round: a cumulative measure of a dialogue with a gap would not be
    comparable.
    """
    wide = frame.pivot(index="dialogue_id", columns="round", values=column).sort_index()
    incomplete = wide.index[wide.isna().any(axis=1)]
    if len(incomplete):
        raise DaitirError(
            f"{len(incomplete)} of {len(wide)} dialogues lack rounds, the first is {incomplete[0]!r}:"
            " rank every round of every dialogue"
        )
    return wide.astype(frame[column].dtype)


def best_so_far(rank_DR: np.ndarray) -> np.ndarray:
    """Best rank of each dialogue in any of the rounds 0..r."""
    return np.minimum.accumulate(rank_DR, axis=1)


def hits_at(rank_DR: np.ndarray, k: int) -> np.ndarray:
    """Hits@k at round r, cumulative: whether the rank was k or better in ANY of the rounds 0..r (ChatIR)."""
    return best_so_far(rank_DR) <= k


def recall_at(rank_DR: np.ndarray, k: int) -> np.ndarray:
    """Recall@k at round r: whether the rank is k or better in that round (TREC's Success@k)."""
    return rank_DR <= k


def reciprocal_rank(rank_DR: np.ndarray) -> np.ndarray:
    """1 / rank at round r; its mean over dialogues is the MRR."""
    return 1.0 / rank_DR


def log_rank_integral(rank_DR: np.ndarray) -> np.ndarray:
    """Best log rank integral (BRI) of each dialogue; lower is better (PlugIR, Lee et al., 2024).

    With b_r the best rank so far: the mean over r = 0..R-2 of (ln b_r + ln b_{r+1}) / 2, the area under
    ln b by the trapezoid rule over the rounds. PlugIR writes ln(rank + 1) with ranks from 0. It needs two
    rounds.
    """
    if rank_DR.shape[1] < 2:
        raise DaitirError("the best log rank integral needs two rounds or more: rank more rounds")
    return log_rank_integrals(rank_DR)[:, -1]


def log_rank_integrals(rank_DR: np.ndarray) -> np.ndarray:
    """Return the best log rank integral up to each round from 1 on (D x R-1); round 0 alone has no area."""
    log_best_DR = np.log(best_so_far(rank_DR))
    areas = np.cumsum((log_best_DR[:, :-1] + log_best_DR[:, 1:]) / 2, axis=1)
    return areas / np.arange(1, areas.shape[1] + 1)


def rank_change(rank_DR: np.ndarray, baseline_DR: np.ndarray) -> np.ndarray:
    """Ranks lost against the baseline: positive where the target fell back, negative where it gained."""
    if rank_DR.shape != baseline_DR.shape:
        raise DaitirError(
            f"ranks {rank_DR.shape} and baseline {baseline_DR.shape} are not of the same queries"
        )
    return rank_DR.astype(np.int64) - baseline_DR.astype(np.int64)


def degraded(rank_DR: np.ndarray, baseline_DR: np.ndarray) -> np.ndarray:
    """Whether the rank is strictly worse than the baseline's; the mean is the degradation rate (ADaFuSE)."""
    return rank_change(rank_DR, baseline_DR) > 0


def improved(rank_DR: np.ndarray, baseline_DR: np.ndarray) -> np.ndarray:
    """Whether the rank is strictly better than the baseline's; the mean is the improvement rate."""
    return rank_change(rank_DR, baseline_DR) < 0


def rank_drop(rank_DR: np.ndarray, baseline_DR: np.ndarray) -> np.ndarray:
    """Ranks lost by each query, 0 where none was; ADaFuSE's rank drop is the mean over the degraded alone."""
    return rank_change(rank_DR, baseline_DR).clip(min=0)


def rank_gain(rank_DR: np.ndarray, baseline_DR: np.ndarray) -> np.ndarray:
    """Ranks gained by each query, 0 where none was gained; the gain is the mean over the improved alone."""
    return (-rank_change(rank_DR, baseline_DR)).clip(min=0)


def quantiles_over(value: np.ndarray, chosen: np.ndarray, levels: tuple[float, ...]) -> list[float]:
    """Quantiles of the chosen values; 0 where nothing is chosen. A mean alone hides a few huge drops."""
    return (
        [float(level) for level in np.quantile(value[chosen], levels)]
        if chosen.any()
        else [0.0] * len(levels)
    )
