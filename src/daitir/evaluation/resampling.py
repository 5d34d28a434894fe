"""Bootstrap and randomisation of what is no mean over dialogues: differences of ratios, correlations.

The unit is the dialogue, as in ``daitir.statistics``.

Shape suffixes: D dialogues, N queries, S seeds, B bootstrap resamples or randomisations.
"""

from typing import NamedTuple

import numpy as np

from daitir.statistics import FLIPS_AT_ONCE, LEVEL, ROUNDING

EDGES = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


class Estimate(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Ratio(NamedTuple):
    """Mean over what is counted, taken apart by dialogue: ranks lost over the queries that lost."""

    sums_D: np.ndarray
    weights_D: np.ndarray

    @property
    def value(self) -> float:
        """The mean; 0 where nothing is counted, as nothing was lost."""
        return float(_divide(self.sums_D.sum(), self.weights_D.sum()))


def _divide(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.zeros(np.shape(top)), where=np.asarray(bottom) > 0)


def ratio_difference(one: Ratio, other: Ratio, counts_BD: np.ndarray) -> Estimate:
    """Difference of two such means over the same dialogues, with its bootstrap interval."""
    drawn_B = [
        _divide(np.einsum("bd,d->b", counts_BD, part.sums_D), np.einsum("bd,d->b", counts_BD, part.weights_D))
        for part in (one, other)
    ]
    low, high = np.quantile(drawn_B[0] - drawn_B[1], EDGES)
    return Estimate(one.value - other.value, float(low), float(high))


def swap_test(one: Ratio, other: Ratio, signs_BD: np.ndarray) -> float:
    """Two-sided p-value of the difference of two such means: the systems are swapped in dialogues by a coin.

    Under the null the two may be swapped in any dialogue. The observed arrangement counts as one, so that p
    is never 0 (Smucker et al., 2007).
    """
    observed = abs(one.value - other.value)
    reached = 0
    for first in range(0, len(signs_BD), FLIPS_AT_ONCE):
        kept_BD = (signs_BD[first : first + FLIPS_AT_ONCE].astype(np.float64) + 1) / 2
        means_B = [_swapped(one, other, kept_BD), _swapped(other, one, kept_BD)]
        reached += int((np.abs(means_B[0] - means_B[1]) >= observed * (1 - ROUNDING) - ROUNDING).sum())
    return (reached + 1) / (len(signs_BD) + 1)


def _swapped(own: Ratio, others: Ratio, kept_BD: np.ndarray) -> np.ndarray:
    """Mean of what is one's own where ``kept``, and the other's elsewhere."""
    top_B, bottom_B = (
        np.einsum("bd,d->b", kept_BD, mine_D - theirs_D) + theirs_D.sum()
        for mine_D, theirs_D in zip(own, others, strict=True)
    )
    return _divide(top_B, bottom_B)


def shuffle_test(one_D: np.ndarray, other_D: np.ndarray, shuffles: int, seed: int) -> float:
    """Two-sided p-value of the difference of two means over different dialogues, which are dealt out anew."""
    together = np.concatenate([one_D, other_D])
    observed = abs(one_D.mean() - other_D.mean())
    rng = np.random.default_rng(seed)
    reached = 0
    for _ in range(shuffles):
        dealt = rng.permutation(together)
        difference = abs(dealt[: len(one_D)].mean() - dealt[len(one_D) :].mean())
        reached += difference >= observed * (1 - ROUNDING) - ROUNDING
    return (int(reached) + 1) / (shuffles + 1)


class Ordered(NamedTuple):
    """Values in order: the places they came from, and where each run of equals begins."""

    order_N: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, values_N: np.ndarray) -> "Ordered":
        """Order values."""
        order_N = np.argsort(values_N, kind="stable")
        ordered_N = values_N[order_N]
        return cls(order_N, np.flatnonzero(np.r_[True, ordered_N[1:] != ordered_N[:-1]]))

    def ranks(self, weights_N: np.ndarray) -> np.ndarray:
        """Return the ranks of values that come ``weights`` times each; equals share the middle one."""
        weight = np.add.reduceat(weights_N[self.order_N], self.starts)
        sizes = np.diff(np.r_[self.starts, len(self.order_N)])
        rank_N = np.empty(len(self.order_N))
        rank_N[self.order_N] = np.repeat(np.cumsum(weight) - weight / 2, sizes)
        return rank_N


def spearman(
    pairs: list[tuple[np.ndarray, np.ndarray]], dialogue_N: np.ndarray, counts_BD: np.ndarray
) -> tuple[list[float], Estimate]:
    """Spearman's correlation of each seed, and the mean over seeds with its bootstrap interval.

    ``pairs`` holds x and y (N each) a seed, ``dialogue_N`` the place of each query's dialogue. A resample
    draws whole dialogues, and its values are ranked anew. Of values that are all equal it is NaN.
    """
    ordered = [(Ordered.of(x_N), Ordered.of(y_N)) for x_N, y_N in pairs]
    alone = np.ones(len(dialogue_N))
    seeds = [_correlation(*pair, alone) for pair in ordered]
    drawn_B = np.array(
        [np.mean([_correlation(*pair, counts_D[dialogue_N]) for pair in ordered]) for counts_D in counts_BD]
    )
    known_B = drawn_B[np.isfinite(drawn_B)]
    low, high = np.quantile(known_B, EDGES) if len(known_B) else (np.nan, np.nan)
    return seeds, Estimate(float(np.mean(seeds)), float(low), float(high))


def _correlation(x: Ordered, y: Ordered, weights_N: np.ndarray) -> float:
    x_N, y_N = x.ranks(weights_N), y.ranks(weights_N)
    x_N = x_N - np.average(x_N, weights=weights_N)
    y_N = y_N - np.average(y_N, weights=weights_N)
    spread = np.sqrt((weights_N * x_N**2).sum() * (weights_N * y_N**2).sum())
    return float((weights_N * x_N * y_N).sum() / spread) if spread > 0 else float("nan")
