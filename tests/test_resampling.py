"""Differences of ratios and correlations, with their intervals and tests, on numbers worked out by hand."""

import numpy as np
import pytest

from daitir.evaluation.resampling import Ordered, Ratio, ratio_difference, shuffle_test, spearman, swap_test
from daitir.statistics import draw_signs, resample


def test_ranks_of_drawn_values_share_the_middle_of_equals():
    """Values 1, 3, 3 drawn 2, 1 and 3 times: the middle of two, then of the four that follow."""
    ranks = Ordered.of(np.array([3.0, 1.0, 3.0])).ranks(np.array([1.0, 2.0, 3.0]))
    assert ranks.tolist() == [4, 1, 4]


def test_spearman_agrees_with_scipy():
    """With equals among the values, too."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 50) / 9, rng.integers(0, 9, 50) / 9
    seeds, estimate = spearman([(x, y)], np.arange(50), resample(50, 200, 0))
    assert seeds == [pytest.approx(spearmanr(x, y).statistic)]
    assert estimate.low < estimate.value < estimate.high


def test_swaps_are_counted_one_by_one():
    """Three dialogues that lose 4, 4 and 4 against none: of eight swaps two are as far apart."""
    none, four = (Ratio(np.full(3, drop), np.full(3, drop > 0) * 1.0) for drop in (0.0, 4.0))
    signs = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    assert four.value - none.value == 4
    # A mean drop over the worse alone is 4 as soon as one dialogue is worse: only all on one side differ.
    assert swap_test(four, none, signs) == pytest.approx((2 + 1) / (8 + 1))


def test_equal_drops_differ_in_nothing():
    """No difference, an interval of no width, p = 1."""
    drop = Ratio(np.array([3.0, 0.0, 5.0]), np.array([1.0, 0.0, 1.0]))
    assert ratio_difference(drop, drop, resample(3, 200, 0)) == (0, 0, 0)
    assert swap_test(drop, drop, draw_signs(3, 99, 0)) == 1


def test_shuffle_of_one_against_one_decides_nothing():
    """Dealt out anew, two dialogues are always as far apart as before."""
    assert shuffle_test(np.array([1.0]), np.array([0.0]), 99, 0) == 1
