"""Systems against their baselines: difference, interval, p-value, Holm's correction, a verdict."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from daitir.evaluation.rankings import Evaluation, Measure, Ranking, measures_by_round
from daitir.metrics import log_rank_integral
from daitir.statistics import holm, mcnemar, mean_interval, sign_flip

SIGNIFICANT = 0.05
DIGITS = 12  # beyond them a difference is that of the order of sums
BETTER, WORSE, NO_DIFFERENCE = "better", "worse", "no difference shown"
MCNEMAR, SIGN_FLIP = "McNemar exact", "sign flip"
LOWER_IS_BETTER = ("log_rank", "bri")
NOT_TESTED = (
    "mean_rank",
    "median_rank",
)  # a mean rank is ruled by a few outliers; its logarithm is tested instead


def comparisons(evaluation: Evaluation, oracles: Collection[str] = ()) -> list[dict[str, Any]]:
    """Rows (system with a baseline, round, measure): difference, interval, p, Holm's p over systems, verdict.

    Holm's family is all systems of one dialogue set at one round in one measure; an oracle, which knows the
    target, is no question that a test could answer, so it counts for none of them.
    """
    rows = [row for pair in evaluation.pairs() for row in _compare(evaluation, *pair)]
    families: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for row in rows:
        family_of = (row["measure"], row["round"], row["system"] if row["system"] in oracles else "")
        families.setdefault(family_of, []).append(row)
    for family in families.values():
        for row, corrected in zip(family, holm([row["p"] for row in family]), strict=True):
            row |= {"p_holm": corrected, "verdict": verdict(row["measure"], row["difference"], corrected)}
    return rows


def verdict(measure: str, difference: float, p_value: float) -> str:
    """Word for a difference: ``better`` or ``worse`` where the corrected p-value is below 0.05."""
    if p_value >= SIGNIFICANT:
        return NO_DIFFERENCE
    return BETTER if (difference < 0) == (measure in LOWER_IS_BETTER) else WORSE


def _compare(evaluation: Evaluation, ranking: Ranking, baseline: Ranking) -> Iterator[dict[str, Any]]:
    for name, (measure, rounds) in _tested(evaluation, ranking).items():
        system_DM, baseline_DM = ranking.mean(measure), baseline.mean(measure)
        interval = mean_interval(system_DM - baseline_DM, evaluation.counts)
        ends_3M = np.round(interval, DIGITS) + 0.0  # so that no difference is 0 and not -0 or -3e-18
        test, p_values = paired_test(name, system_DM, baseline_DM, evaluation.signs)
        for place, round_ in enumerate(rounds):
            yield {
                "dialogues": evaluation.dialogues,
                "system": ranking.system,
                "baseline": baseline.system,
                "round": round_,
                "measure": name,
                "system_value": system_DM[:, place].mean(),
                "baseline_value": baseline_DM[:, place].mean(),
                **dict(zip(("difference", "low", "high"), ends_3M[:, place], strict=True)),
                "test": test,
                "p": float(p_values[place]),
            }


def _tested(evaluation: Evaluation, ranking: Ranking) -> dict[str, tuple[Measure, Sequence[int]]]:
    by_round = measures_by_round(evaluation.hits).items()
    tested: dict[str, tuple[Measure, Sequence[int]]] = {
        name: (measure, ranking.rounds) for name, measure in by_round if name not in NOT_TESTED
    }
    if ranking.cumulative:
        tested["bri"] = (log_rank_integral, ranking.rounds[-1:])
    return tested


def paired_test(
    name: str, system_DM: np.ndarray, baseline_DM: np.ndarray, signs_BD: np.ndarray
) -> tuple[str, np.ndarray]:
    """Return the test of two systems on the same dialogues, and its p-values.

    McNemar for yes or no of one seed (hits, queries made worse); what is more (ranks, means over seeds) has
    its signs flipped.
    """
    is_share = "@" in name or name == "degradation_rate"
    if not (is_share and all(np.isin(values, (0, 1)).all() for values in (system_DM, baseline_DM))):
        return SIGN_FLIP, sign_flip(system_DM - baseline_DM, signs_BD)
    pairs = zip(system_DM.T > 0, baseline_DM.T > 0, strict=True)
    return MCNEMAR, np.array([mcnemar(system_D, baseline_D) for system_D, baseline_D in pairs])
