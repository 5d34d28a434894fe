"""Uncertainty: bootstrap intervals over dialogues, paired tests against a baseline, and Holm's correction.

The unit is always the dialogue: its rounds, and the seeds of a fusion, stay together because they are not
independent. Every function is vectorised over measures or rounds, and gives the same numbers with any number
of threads (``einsum`` adds in one order; a BLAS may not).

Shape suffixes: D dialogues, M measures or rounds side by side, B bootstrap resamples.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

LEVEL = 0.95
FLIPS_AT_ONCE = 500
ROUNDING = 1e-9


class Interval(NamedTuple):
    """A statistic with its 95 % interval, one entry a measure."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def resample(dialogues: int, resamples: int, seed: int) -> np.ndarray:
    """Return counts_BD: how often each dialogue is drawn in each resample of D, with replacement.

    One matrix serves all systems and measures of a dialogue set, so that their differences are paired.
    """
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, dialogues, dialogues) for _ in range(resamples))
    return np.stack([np.bincount(places, minlength=dialogues) for places in drawn]).astype(np.float64)


def mean_interval(values_DM: np.ndarray, counts_BD: np.ndarray) -> Interval:
    """Mean over dialogues with its bootstrap interval (percentiles; Efron & Tibshirani, 1993, chapter 13)."""
    means_BM = np.einsum("bd,dm->bm", counts_BD, values_DM) / len(values_DM)
    return Interval(values_DM.mean(axis=0), *_percentiles(means_BM))


def median_interval(values_DM: np.ndarray, counts_BD: np.ndarray) -> Interval:
    """Median over dialogues with its bootstrap interval."""
    medians_BM = np.stack([_medians(values_D, counts_BD) for values_D in values_DM.T], axis=1)
    return Interval(np.median(values_DM, axis=0), *_percentiles(medians_BM))


def ratio_interval(sums_DM: np.ndarray, weights_DM: np.ndarray, counts_BD: np.ndarray) -> Interval:
    """Mean over what is counted, such as ranks lost over the queries that lost: sum of sums / sum of weights.

    Where nothing is counted the mean is 0, as nothing was lost; resamples that count nothing are left out.
    """
    top_BM = np.einsum("bd,dm->bm", counts_BD, sums_DM)
    bottom_BM = np.einsum("bd,dm->bm", counts_BD, weights_DM)
    columns = [_ratio(*column) for column in zip(sums_DM.T, weights_DM.T, top_BM.T, bottom_BM.T, strict=True)]
    return Interval(*np.array(columns).reshape(-1, 3).T)


def _ratio(sums_D: np.ndarray, weights_D: np.ndarray, top_B: np.ndarray, bottom_B: np.ndarray) -> np.ndarray:
    counted = bottom_B > 0
    if weights_D.sum() == 0 or not counted.any():
        return np.zeros(3)
    low, high = _percentiles(top_B[counted] / bottom_B[counted])
    return np.array([sums_D.sum() / weights_D.sum(), low, high])


def _medians(values_D: np.ndarray, counts_BD: np.ndarray) -> np.ndarray:
    """Median of each resample: the values at the one or two middle places of the sorted draw."""
    order = np.argsort(values_D, kind="stable")
    drawn_BD = np.cumsum(counts_BD.astype(np.int16)[:, order], axis=1, dtype=np.int32)
    middles = ((len(values_D) - 1) // 2, len(values_D) // 2)
    places = [np.argmax(drawn_BD > middle, axis=1) for middle in middles]
    return values_D[order][np.array(places)].mean(axis=0)


def _percentiles(samples_BM: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.quantile(samples_BM, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def mcnemar(system_D: np.ndarray, baseline_D: np.ndarray) -> float:
    """Two-sided exact p-value of McNemar's test on paired hits (McNemar, 1947).

    Only dialogues that one of the two hits and the other misses count; under the null a coin decides.
    """
    won = int((system_D & ~baseline_D).sum())
    lost = int((~system_D & baseline_D).sum())
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


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
        flipped_BM = np.abs(np.einsum("bd,dm->bm", block_BD, differences_DM))
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
