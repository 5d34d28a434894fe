"""Every measure of every seed by itself: what the means over seeds in the other tables are made of."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from daitir import metrics
from daitir.evaluation.rankings import Evaluation, Ranking, measures_by_round


def by_seed(evaluation: Evaluation, seeds: dict[str, list[int]]) -> Iterator[dict[str, Any]]:
    """Rows (system, seed, round, measure) with the value alone; intervals are over dialogues, not seeds.

    ``seeds`` are those of each system's ranks table, in order. Against a baseline of several seeds, a seed's
    degradation is the mean over them.
    """
    for name, ranking in evaluation.rankings.items():
        baseline = evaluation.rankings.get(ranking.baseline or "")
        for seed, rank_DR in zip(seeds[name], ranking.ranks, strict=True):
            for measure, values in _values(evaluation, rank_DR, baseline).items():
                rounds = ranking.rounds if len(values) == len(ranking.rounds) else ranking.rounds[-1:]
                for round_, value in zip(rounds, values, strict=True):
                    row = {"dialogues": evaluation.dialogues, "system": name, "round": round_, "seed": seed}
                    yield row | {"measure": measure, "value": value}


def _values(
    evaluation: Evaluation, rank_DR: np.ndarray, baseline: Ranking | None
) -> dict[str, np.ndarray | list[float]]:
    """Return the values by round of each measure; one over all rounds has one value."""
    found: dict[str, np.ndarray | list[float]] = {}
    for name, measure in measures_by_round(evaluation.hits).items():
        middle = np.median if name == "median_rank" else np.mean
        found[name] = middle(measure(rank_DR), axis=0)
    if rank_DR.shape[1] > 1:
        found["bri"] = [float(metrics.log_rank_integral(rank_DR).mean())]
    if baseline is not None:
        pairs = [(rank_DR, other_DR) for other_DR in baseline.ranks]
        worse, better, drop, gain = (
            np.concatenate([compare(*pair) for pair in pairs])
            for compare in (metrics.degraded, metrics.improved, metrics.rank_drop, metrics.rank_gain)
        )
        found["degradation_rate"], found["improvement_rate"] = worse.mean(axis=0), better.mean(axis=0)
        found["rank_drop"], found["rank_gain"] = _mean_of(drop, worse), _mean_of(gain, better)
    return found


def _mean_of(change_DR: np.ndarray, counted_DR: np.ndarray) -> np.ndarray:
    """Mean change over the queries that are counted; 0 where there is none."""
    return change_DR.sum(axis=0) / np.maximum(counted_DR.sum(axis=0), 1)
