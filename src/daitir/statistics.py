"""Uncertainty: bootstrap intervals over dialogues, paired tests against a baseline, and Holm's correction.

The unit is always the dialogue: its rounds, and the seeds of a fusion, stay together because they are not
independent. Every function is vectorised over measures or rounds. Sums over dialogues are matrix products,
whose last bits may differ with another processor: comparisons allow 1e-9 and tables keep six digits.

McNemar's test is counted in whole numbers (SciPy's ``binomtest`` gives the same and takes a second to
import). The bootstrap and the randomisation test are our own, because all measures of a
dialogue set share one matrix of resamples (their differences are paired) and because four benchmarks have
some 9,000 columns: SciPy's ``bootstrap`` and ``permutation_test`` take many times as long
(``python -m bench.statistics`` measures it); the tests hold both to SciPy's. Holm's correction is
eight lines here. It is not in SciPy, and statsmodels, which has it, collects garbage in every call: 40 s in
four benchmarks.

Shape suffixes: D dialogues, M measures or rounds side by side, B bootstrap resamples.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

LEVEL = 0.95
FLIPS_AT_ONCE = 500
ROUNDING = 1e-9
REACH = 3.0  # six times as far as the middle of a resample lies from that of all, in its standard deviation


class Interval(NamedTuple):
    """A statistic with its 95 % interval, one entry a measure."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


@lru_cache(maxsize=2)  # analyses ask again and again for the same
def resample(dialogues: int, resamples: int, seed: int) -> np.ndarray:
    """Return counts_BD: how often each dialogue is drawn in each resample of D, with replacement.

    One matrix serves all systems and measures of a dialogue set, so that their differences are paired.
    """
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, dialogues, dialogues) for _ in range(resamples))
    counts_BD = np.stack([np.bincount(places, minlength=dialogues) for places in drawn]).astype(np.float64)
    counts_BD.flags.writeable = False
    return counts_BD


def mean_interval(values_DM: np.ndarray, counts_BD: np.ndarray) -> Interval:
    """Mean over dialogues with its bootstrap interval (BCa; Efron, 1987)."""
    means_BM = counts_BD @ values_DM / len(values_DM)
    value_M = values_DM.mean(axis=0)
    return Interval(value_M, *bca_limits(means_BM, value_M, values_DM - value_M))


def median_interval(values_DM: np.ndarray, counts_BD: np.ndarray) -> Interval:
    """Median over dialogues with its bootstrap interval, corrected for bias alone.

    The jackknife, from which an acceleration would come, says nothing of a median (Efron & Tibshirani, 1993,
    section 11.6); its influence, the sign of the distance, is not skewed.
    """
    order_DM = np.argsort(values_DM, axis=0, kind="stable")
    reach = math.ceil(REACH * math.sqrt(len(values_DM)))
    medians_BM = _medians(values_DM, order_DM, counts_BD, reach)
    value_M = np.median(values_DM, axis=0)
    return Interval(value_M, *bca_limits(medians_BM, value_M, np.zeros_like(values_DM)))


def ratio_interval(sums_DM: np.ndarray, weights_DM: np.ndarray, counts_BD: np.ndarray) -> Interval:
    """Mean over what is counted, such as ranks lost over the queries that lost: sum of sums / sum of weights.

    Where nothing is counted the mean is 0, as nothing was lost; resamples that count nothing are left out.
    """
    top_BM = counts_BD @ sums_DM
    bottom_BM = counts_BD @ weights_DM
    columns = [_ratio(*column) for column in zip(sums_DM.T, weights_DM.T, top_BM.T, bottom_BM.T, strict=True)]
    return Interval(*np.array(columns).reshape(-1, 3).T)


def _ratio(sums_D: np.ndarray, weights_D: np.ndarray, top_B: np.ndarray, bottom_B: np.ndarray) -> np.ndarray:
    counted = bottom_B > 0
    if weights_D.sum() == 0 or not counted.any():
        return np.zeros(3)
    value = sums_D.sum() / weights_D.sum()
    ratios_B1 = (top_B[counted] / bottom_B[counted])[:, None]
    low, high = bca_limits(ratios_B1, np.array([value]), (sums_D - value * weights_D)[:, None])
    return np.array([value, low[0], high[0]])


def _medians(values_DM: np.ndarray, order_DM: np.ndarray, counts_BD: np.ndarray, reach: int) -> np.ndarray:
    """Median of each resample: the values at the one or two middle places of the sorted draw.

    They are looked for within ``reach`` of the middle of all values, and further away where one is not there.
    """
    dialogues = len(values_DM)
    first, last = max(0, dialogues // 2 - reach), min(dialogues, dialogues // 2 + reach)
    below_DM = np.zeros(values_DM.shape)
    np.put_along_axis(below_DM, order_DM[:first], 1.0, axis=0)
    below_BM = counts_BD @ below_DM
    middles, found = ((dialogues - 1) // 2, dialogues // 2), []
    for below_B, order_D, values_D in zip(below_BM.T, order_DM.T, values_DM.T, strict=True):
        drawn_BW = below_B[:, None] + np.cumsum(counts_BD[:, order_D[first:last]], axis=1)
        if below_B.max() > middles[0] or drawn_BW[:, -1].min() <= middles[1]:
            return _medians(values_DM, order_DM, counts_BD, dialogues)
        places = [np.argmax(drawn_BW > middle, axis=1) + first for middle in middles]
        found.append(values_D[order_D][np.array(places)].mean(axis=0))
    return np.stack(found, axis=1)


def bca_limits(
    samples_BM: np.ndarray, value_M: np.ndarray, influence_DM: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the bias-corrected, accelerated interval (BCa; Efron, 1987; DiCiccio & Efron, 1996).

    ``influence_DM`` says how each dialogue moves the statistic, up to a factor; its skewness is the
    acceleration (the infinitesimal jackknife: of a mean the same as leaving one out). The bias is the share
    of resamples below the value, ties half.
    """
    slack_M = ROUNDING * np.maximum(np.abs(value_M), ROUNDING)
    less_M = (samples_BM < value_M - slack_M).mean(axis=0)
    below_M = (less_M + (samples_BM <= value_M + slack_M).mean(axis=0)) / 2
    edge = 0.5 / len(samples_BM)
    bias_M = ndtri(below_M.clip(edge, 1 - edge))
    acceleration_M = _sixth_of_skewness(influence_DM)
    ends_21 = ndtri([[(1 - LEVEL) / 2], [(1 + LEVEL) / 2]])
    shifted_2M = bias_M + ends_21
    levels_2M = ndtr(bias_M + shifted_2M / (1 - acceleration_M * shifted_2M))
    low, high = _quantiles(np.sort(samples_BM, axis=0), levels_2M)
    return low, high


def _sixth_of_skewness(influence_DM: np.ndarray) -> np.ndarray:
    squares_M = (influence_DM**2).sum(axis=0)
    moved_M = squares_M > 0
    cubes_M = (influence_DM**3).sum(axis=0)
    return np.divide(cubes_M, 6 * squares_M**1.5, out=np.zeros_like(squares_M), where=moved_M)


def _quantiles(sorted_BM: np.ndarray, levels_2M: np.ndarray) -> np.ndarray:
    """Quantiles of each column at levels of its own, interpolated as ``np.quantile`` does."""
    place_2M = levels_2M * (len(sorted_BM) - 1)
    floor_2M = np.floor(place_2M).astype(np.int64)
    ceiling_2M = np.minimum(floor_2M + 1, len(sorted_BM) - 1)
    lower_2M = np.take_along_axis(sorted_BM, floor_2M, axis=0)
    upper_2M = np.take_along_axis(sorted_BM, ceiling_2M, axis=0)
    return lower_2M + (place_2M - floor_2M) * (upper_2M - lower_2M)


def mcnemar(system_D: np.ndarray, baseline_D: np.ndarray) -> float:
    """Two-sided exact p-value of McNemar's test on paired hits (McNemar, 1947).

    Only dialogues that one of the two hits and the other misses count; under the null a coin decides.
    """
    won = int((system_D & ~baseline_D).sum())
    lost = int((~system_D & baseline_D).sum())
    return _both_tails(min(won, lost), won + lost)


@lru_cache(maxsize=4096)
def _both_tails(heads: int, tosses: int) -> float:
    """How likely a fair coin falls at least as unevenly as ``heads`` or fewer in ``tosses``."""
    ways = term = 1
    for head in range(heads):
        term = term * (tosses - head) // (head + 1)
        ways += term
    return min(1.0, 2 * ways / 2**tosses)


def draw_signs(dialogues: int, flips: int, seed: int) -> np.ndarray:
    """Return signs_BD, -1 or 1 by a coin: one matrix serves all systems and measures of a dialogue set."""
    coins = np.random.default_rng(seed).integers(0, 2, (flips, dialogues), dtype=np.int8)
    return 2 * coins - 1


def sign_flip(differences_DM: np.ndarray, signs_BD: np.ndarray) -> np.ndarray:
    """Two-sided p-values of the paired randomisation test on means (Fisher, 1935; Smucker et al., 2007).

    Under the null the two systems may be swapped in any dialogue, which flips the sign of its differences.
    The observed arrangement counts as one of them, so that p is never 0. On hits of a single seed it is
    McNemar's test by simulation.
    """
    observed_M = np.abs(differences_DM.sum(axis=0))
    reached_M = np.zeros(differences_DM.shape[1], dtype=np.int64)
    for first in range(0, len(signs_BD), FLIPS_AT_ONCE):
        block_BD = signs_BD[first : first + FLIPS_AT_ONCE].astype(np.float64)
        flipped_BM = np.abs(block_BD @ differences_DM)
        reached_M += (flipped_BM >= observed_M * (1 - ROUNDING) - ROUNDING).sum(axis=0)
    return (reached_M + 1) / (len(signs_BD) + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for that many comparisons, step by step down (Holm, 1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for step, place in enumerate(order):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - step)))
        corrected[place] = largest
    return corrected
