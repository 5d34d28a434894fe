"""Every measure of every seed by itself: what the means over seeds in the other tables are made of."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from daitir import metrics
from daitir.evaluation.rankings import Evaluation, measures_by_round, seed_pairs


def by_seed(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Rows (system, seed, round, measure) with the value alone; intervals are over dialogues, not seeds.

    Degradation is against the same seed of the baseline where both have the same, else the mean over all.
    """
    for name, ranking in evaluation.rankings.items():
        baseline = evaluation.rankings.get(ranking.baseline or "")
        pairs = [] if baseline is None else seed_pairs(ranking, baseline)
        for seed, rank_DR in zip(ranking.seeds_named, ranking.ranks, strict=True):
            others = [other_DR for own, _, other_DR in pairs if own == seed]
            for measure, values in _values(evaluation, rank_DR, others).items():
                rounds = ranking.rounds[len(ranking.rounds) - len(values) :]
                for round_, value in zip(rounds, values, strict=True):
                    row = {"dialogues": evaluation.dialogues, "system": name, "round": round_, "seed": seed}
                    yield row | {"measure": measure, "value": value}


def _values(evaluation: Evaluation, rank_DR: np.ndarray, others: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the values by round of each measure; an area over rounds has none at round 0."""
    found: dict[str, np.ndarray] = {}
    for name, measure in measures_by_round(evaluation.hits).items():
        middle = np.median if name == "median_rank" else np.mean
        found[name] = middle(measure(rank_DR), axis=0)
    if rank_DR.shape[1] > 1:
        found["bri"] = metrics.log_rank_integrals(rank_DR).mean(axis=0)
    if others:
        pairs = [(rank_DR, other_DR) for other_DR in others]
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
