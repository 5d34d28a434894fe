"""Claims put to the test: ranks in, a verdict out, with the numbers and the test behind it.

A claim is one question that was asked before the run, and is answered by itself: its p-value is not
corrected for the number of claims. The unit is the dialogue; seeds are averaged within it, and how far they
lie apart is stated beside it. Every row holds a ``difference`` with its 95 % interval: its sign says where
it points, the verdict whether that is more than chance.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from daitir import metrics
from daitir.errors import DaitirError
from daitir.evaluation.comparisons import DIGITS, LOWER_IS_BETTER, SIGN_FLIP, SIGNIFICANT, paired_test
from daitir.evaluation.grounds import Ground, changed, values
from daitir.evaluation.rankings import FLIPS, Evaluation
from daitir.evaluation.resampling import (
    EDGES,
    Estimate,
    Ratio,
    ratio_difference,
    shuffle_test,
    spearman,
    swap_test,
)
from daitir.statistics import mean_interval, resample, sign_flip

HOLDS, OPPOSITE, NOT_SHOWN = "holds", "the opposite is shown", "not shown"
DOES_NOT_HOLD = "does not hold"
BOOTSTRAP, SWAP, SHUFFLE = "bootstrap interval", "swap", "shuffle"
LESS_IS_BETTER = (*LOWER_IS_BETTER, "degradation_rate", "rank_drop")
COLUMNS = (
    *("claim", "kind", "system", "than", "measure", "dialogues", "noisier", "round"),
    *("system_value", "than_value", "difference", "low", "high"),
    *("seeds", "lowest_seed", "highest_seed", "test", "p", "verdict"),
)

Row = dict[str, Any]


def examine(kind: str, grounds: Mapping[str, Ground], dialogues: str, **asked: Any) -> Row:
    """Return the row of one claim about a dialogue set; ``grounds`` are all sets that were measured."""
    if "round" in asked:
        asked["round_"] = asked.pop("round")
    if "noisier" in asked:
        asked["noisy"] = grounds[asked.pop("noisier")]
    return {"kind": kind, "dialogues": dialogues} | KINDS[kind](grounds[dialogues], **asked)


def degrades(ground: Ground, system: str, round_: int, at_least: float) -> Row:
    """Whether more than ``at_least`` per cent of the queries rank worse than by the baseline (ADaFuSE)."""
    worse_SD = changed(ground, system, round_, metrics.degraded)
    limit = at_least / 100
    interval = mean_interval(worse_SD.mean(axis=0)[:, None] - limit, ground.evaluation.counts)
    difference = Estimate(*(float(part[0]) for part in interval))
    row = {"system": system, "round": round_, "measure": "degradation_rate"}
    row |= {"system_value": difference.value + limit, "than_value": limit}
    row |= _estimate(difference, worse_SD.mean(axis=1) - limit) | {"test": BOOTSTRAP}
    return row | {"verdict": by_interval(difference, HOLDS, DOES_NOT_HOLD)}


def better(ground: Ground, system: str, than: str, measure: str, round_: int) -> Row:
    """Whether a system is better than another on the same dialogues, by a paired test."""
    row: Row = {"system": system, "than": than, "measure": measure, "round": round_}
    if measure == "rank_drop":
        return row | _smaller_drop(ground, system, than, round_)
    if measure == "degradation_rate":
        one_SD, other_SD = (changed(ground, name, round_, metrics.degraded) for name in (system, than))
    else:
        one_SD, other_SD = (values(ground.ranking(name), measure, round_) for name in (system, than))
    one_DM, other_DM = one_SD.mean(axis=0)[:, None], other_SD.mean(axis=0)[:, None]
    interval = mean_interval(one_DM - other_DM, ground.evaluation.counts)
    test, p_values = paired_test(measure, one_DM, other_DM, ground.evaluation.signs)
    difference, p = Estimate(*(float(part[0]) for part in interval)), float(p_values[0])
    row |= {"system_value": one_SD.mean(), "than_value": other_SD.mean()}
    row |= _estimate(difference, between_seeds(one_SD.mean(axis=1), other_SD.mean(axis=1)))
    return row | {"test": test, "p": p, "verdict": by_test(difference, p, measure in LESS_IS_BETTER)}


def _smaller_drop(ground: Ground, system: str, than: str, round_: int) -> Row:
    """Compare ADaFuSE's rank drops, each the mean over the queries that its own system made worse."""
    parts = [
        [changed(ground, name, round_, change) for change in (metrics.rank_drop, metrics.degraded)]
        for name in (system, than)
    ]
    one, other = (Ratio(drop_SD.mean(axis=0), worse_SD.mean(axis=0)) for drop_SD, worse_SD in parts)
    seeds = [np.array([Ratio(*pair).value for pair in zip(*part, strict=True)]) for part in parts]
    difference = ratio_difference(one, other, ground.evaluation.counts)
    p = swap_test(one, other, ground.evaluation.signs)
    row: Row = {"system_value": one.value, "than_value": other.value, "test": SWAP, "p": p}
    row |= _estimate(difference, between_seeds(*seeds))
    return row | {"verdict": by_test(difference, p, less_is_better=True)}


def gate_falls(ground: Ground, system: str) -> Row:
    """Whether the gate falls as cos(text, image) rises, over all queries (ADaFuSE, Figure 4).

    Spearman's correlation of each seed, averaged; the interval draws whole dialogues.
    """
    frame = ground.queries(system).sort_values(["seed", "dialogue_id", "round"])
    schedule = frame.groupby(["seed", "round"])["gate"].nunique().max()
    if frame["gate"].isna().any() or frame["similarity"].isna().any() or schedule < 2:
        raise DaitirError(
            f"a claim is about the gate of {system!r}, which has none that looks at its query:"
            " mend report.claims"
        )
    by_seed = [rows for _, rows in frame.groupby("seed")]
    places = {name: place for place, name in enumerate(ground.ranking(system).dialogue_ids)}
    dialogue_N = by_seed[0]["dialogue_id"].map(places).to_numpy()
    pairs = [(rows["similarity"].to_numpy(), rows["gate"].to_numpy()) for rows in by_seed]
    seeds, estimate = spearman(pairs, dialogue_N, ground.evaluation.counts)
    row = {"system": system, "measure": "Spearman", "system_value": estimate.value, "test": BOOTSTRAP}
    row |= _estimate(estimate, np.array(seeds))
    return row | {"verdict": by_interval(estimate, OPPOSITE, HOLDS)}


def robust(ground: Ground, noisy: Ground, system: str, than: str, measure: str, round_: int) -> Row:
    """Whether a system loses less than another from one dialogue set to a noisier one.

    Dialogue by dialogue where the two sets have the same dialogues with the same targets; otherwise the
    sets are drawn independently of each other, and the test deals their dialogues out anew.
    """
    sign = -1.0 if measure in LESS_IS_BETTER else 1.0
    calm, noise = (
        [sign * values(place.ranking(name), measure, round_) for name in (system, than)]
        for place in (ground, noisy)
    )
    losses = [had.mean(axis=1) - has.mean(axis=1) for had, has in zip(calm, noise, strict=True)]
    ahead = [one_SD.mean(axis=0) - other_SD.mean(axis=0) for one_SD, other_SD in (calm, noise)]
    if ground.targets(system) == noisy.targets(system):
        lead_DM = (ahead[0] - ahead[1])[:, None]
        interval = mean_interval(lead_DM, ground.evaluation.counts)
        difference = Estimate(*(float(part[0]) for part in interval))
        test, p = SIGN_FLIP, float(sign_flip(lead_DM, ground.evaluation.signs)[0])
    else:
        difference, p = _of_other_dialogues(ahead[0], ahead[1], ground.evaluation)
        test = SHUFFLE
    row = {"system": system, "than": than, "measure": measure, "round": round_}
    row |= {"noisier": noisy.evaluation.dialogues, "test": test, "p": p}
    row |= {"system_value": losses[0].mean(), "than_value": losses[1].mean()}
    row |= _estimate(difference, between_seeds(*losses))
    return row | {"verdict": by_test(difference, p, less_is_better=True)}


def _of_other_dialogues(
    calm_D: np.ndarray, noisy_D: np.ndarray, evaluation: Evaluation
) -> tuple[Estimate, float]:
    counts_BD = resample(len(noisy_D), evaluation.resamples, evaluation.seed + 1)
    drawn_B = [
        np.einsum("bd,d->b", counts, ahead_D) / len(ahead_D)
        for counts, ahead_D in ((evaluation.counts, calm_D), (counts_BD, noisy_D))
    ]
    low, high = np.quantile(drawn_B[0] - drawn_B[1], EDGES)
    p = shuffle_test(calm_D, noisy_D, FLIPS, evaluation.seed)
    return Estimate(float(calm_D.mean() - noisy_D.mean()), float(low), float(high)), p


KINDS: dict[str, Callable[..., Row]] = {
    "degrades": degrades,
    "better": better,
    "gate-falls": gate_falls,
    "robust": robust,
}


def between_seeds(one_S: np.ndarray, other_S: np.ndarray) -> np.ndarray:
    """Return differences by seed: seed by seed where there are as many, else from the mean of the other."""
    return one_S - (other_S if len(one_S) == len(other_S) else other_S.mean())


def _estimate(estimate: Estimate, difference_S: np.ndarray) -> Row:
    found = {
        name: round(part, DIGITS) for name, part in zip(("difference", "low", "high"), estimate, strict=True)
    }
    seeds = {"lowest_seed": float(np.min(difference_S)), "highest_seed": float(np.max(difference_S))}
    return found | {"seeds": len(difference_S)} | seeds


def by_interval(estimate: Estimate, above: str, below: str) -> str:
    """Return the verdict of an interval: all above 0, all below, or neither."""
    return above if estimate.low > 0 else below if estimate.high < 0 else NOT_SHOWN


def by_test(estimate: Estimate, p: float, less_is_better: bool) -> str:
    """Return the verdict of a test: p below 0.05, and the direction of the difference."""
    if p >= SIGNIFICANT:
        return NOT_SHOWN
    return HOLDS if (estimate.value < 0) == less_is_better else OPPOSITE
