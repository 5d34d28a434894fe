"""Intervals and tests, against cases worked by hand and against SciPy."""

import numpy as np
import pytest
from scipy import stats

from daitir.statistics import (
    bca_limits,
    draw_signs,
    holm,
    mcnemar,
    mean_interval,
    median_interval,
    ratio_interval,
    resample,
    sign_flip,
)


def test_resample_draws_as_many_dialogues_as_there_are():
    """Each resample counts D draws, and the same seed draws the same."""
    counts_BD = resample(7, 50, seed=3)
    assert counts_BD.shape == (50, 7)
    assert (counts_BD.sum(axis=1) == 7).all()
    assert (counts_BD == resample(7, 50, seed=3)).all()


def test_intervals_of_resamples_written_by_hand():
    """Two dialogues and four resamples: means 1, 1.5, 1.5, 2, percentiles interpolated."""
    counts_BD = np.array([[2, 0], [1, 1], [1, 1], [0, 2]], dtype=float)
    value, low, high = mean_interval(np.array([[1.0], [2.0]]), counts_BD)
    assert value == 1.5
    assert low == pytest.approx(1 + 0.5 * 0.075)  # place 0.025 * 3 = 0.075 between the first and second mean
    assert high == pytest.approx(2 - 0.5 * 0.075)


@pytest.mark.parametrize("dialogues", [1, 8, 9, 400])
def test_median_of_a_resample_is_that_of_the_drawn_values(dialogues):
    """Counting and drawing give the same medians, for even and odd numbers of dialogues."""
    values_D = np.random.default_rng(0).permutation(dialogues) * 1.0
    counts_BD = resample(dialogues, 100, seed=1)
    medians = [np.median(np.repeat(values_D, counts_D.astype(int))) for counts_D in counts_BD]
    value, low, high = median_interval(values_D[:, None], counts_BD)
    assert value == np.median(values_D)
    limits = bca_limits(np.array(medians)[:, None], value, np.zeros((dialogues, 1)))
    assert (low[0], high[0]) == pytest.approx(np.ravel(limits).tolist())


def test_median_far_from_the_middle_is_found():
    """A resample that drew one of the ends again and again has its value as the median."""
    values_D1 = np.arange(400.0)[:, None]
    counts_BD = resample(400, 100, seed=1).copy()
    counts_BD[0], counts_BD[1] = 400 * (np.arange(400) == 399), 400 * (np.arange(400) == 0)
    medians = [np.median(np.repeat(values_D1[:, 0], counts_D.astype(int))) for counts_D in counts_BD]
    _, low, high = median_interval(values_D1, counts_BD)
    limits = bca_limits(np.array(medians)[:, None], np.array([199.5]), np.zeros((400, 1)))
    assert (low[0], high[0]) == pytest.approx(np.ravel(limits).tolist())


def test_skewed_values_move_both_limits_up():
    """Of one large value among small ones the plain percentiles are too low on both sides (Efron, 1987)."""
    values_D1 = np.array([[0.0]] * 19 + [[10.0]])
    counts_BD = resample(20, 4000, seed=0)
    means_B = counts_BD @ values_D1[:, 0] / 20
    plain_low, plain_high = np.quantile(means_B, [0.025, 0.975])
    _, low, high = mean_interval(values_D1, counts_BD)
    assert low[0] >= plain_low
    assert high[0] > plain_high


def test_limits_without_bias_and_skew_are_percentiles():
    """Half of the resamples below the value and influences that cancel out: nothing is corrected."""
    samples_B1 = np.arange(101.0)[:, None]
    limits = bca_limits(samples_B1, np.array([50.0]), np.array([[-1.0], [1.0]]))
    assert np.ravel(limits).tolist() == pytest.approx([2.5, 97.5])


def test_intervals_agree_with_scipy():
    """SciPy's BCa bootstrap of mean and median gives the same intervals, but for its own draws."""
    values_D = np.random.default_rng(5).exponential(size=200)
    counts_BD = resample(200, 4000, seed=0)
    for ours, statistic in ((mean_interval, np.mean), (median_interval, np.median)):
        theirs = stats.bootstrap((values_D,), statistic, method="BCa", n_resamples=4000, rng=1)
        _, low, high = ours(values_D[:, None], counts_BD)
        assert (low[0], high[0]) == pytest.approx(theirs.confidence_interval, abs=0.02)


def test_ratio_counts_only_what_is_counted():
    """Two of three queries lose 4 and 8 ranks: 6 on average; where none loses, nothing is lost."""
    drop_DM, worse_DM = np.array([[4.0, 0], [8, 0], [0, 0]]), np.array([[1.0, 0], [1, 0], [0, 0]])
    value, low, high = ratio_interval(drop_DM, worse_DM, resample(3, 200, seed=0))
    assert value.tolist() == [6, 0]
    assert (low[0], high[0]) == (4, 8)
    assert (low[1], high[1]) == (0, 0)


@pytest.mark.parametrize(
    ("won", "lost", "p"),
    [
        (0, 0, 1.0),
        (3, 0, 0.25),  # 2 / 2^3
        (5, 1, 14 / 64),  # 2 (1 + 6) / 2^6
        (4, 4, 1.0),
    ],
)
def test_mcnemar_is_a_coin_for_each_dialogue_that_differs(won, lost, p):
    """Dialogues that both hit or both miss do not count."""
    system = np.array([True] * won + [False] * lost + [True, False])
    baseline = np.array([False] * won + [True] * lost + [True, False])
    assert mcnemar(system, baseline) == pytest.approx(p)


@pytest.mark.parametrize(("won", "lost"), [(1, 1), (7, 2), (60, 95), (700, 1364)])
def test_mcnemar_is_the_test_of_scipy(won, lost):
    """The exact binomial test of a fair coin."""
    system, baseline = np.arange(won + lost) < won, np.arange(won + lost) >= won
    known = stats.binomtest(won, won + lost).pvalue
    assert mcnemar(system, baseline) == pytest.approx(known, rel=1e-9)


def test_sign_flip_finds_the_exact_p_value():
    """Of the 8 arrangements of (1, 2, 3), the observed and its mirror reach 6: p = 2 / 8."""
    p_values = sign_flip(np.array([[1.0], [2.0], [3.0]]), draw_signs(3, 20_000, seed=0))
    assert p_values[0] == pytest.approx(0.25, abs=0.01)


def test_sign_flip_agrees_with_scipy_and_does_not_mix_columns():
    """Each column has the p-value it has alone, near SciPy's paired permutation test."""
    differences = np.random.default_rng(2).normal(0.15, 1, (100, 3))
    together = sign_flip(differences, draw_signs(100, 4999, seed=0))
    for column in range(3):
        alone = sign_flip(differences[:, [column]], draw_signs(100, 4999, seed=0))[0]
        theirs = stats.permutation_test(
            (differences[:, column],), np.mean, permutation_type="samples", n_resamples=4999, rng=0
        )
        assert together[column] == alone == pytest.approx(theirs.pvalue, abs=0.03)


def test_sign_flip_of_no_difference_is_one():
    """Equal systems: every arrangement reaches the observed 0."""
    assert sign_flip(np.zeros((10, 1)), draw_signs(10, 999, seed=0))[0] == 1


def test_sign_flip_on_hits_is_mcnemar():
    """On hits of one seed the two tests are the same test."""
    system, baseline = np.arange(40) < 20, np.arange(40) % 3 == 0
    flipped = sign_flip((system * 1.0 - baseline)[:, None], draw_signs(40, 20_000, seed=0))[0]
    assert flipped == pytest.approx(mcnemar(system, baseline), abs=0.01)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 0.04 x 1 is lifted to the 0.06 before it
        ([0.6, 0.7], [1.0, 1.0]),
    ],
)
def test_holm_steps_down(p_values, corrected):
    """The smallest p-value counts n times, the next n - 1 times, and none falls below the one before."""
    assert holm(p_values) == pytest.approx(corrected)
