import math

import numpy as np
import pandas as pd
import pytest

from daitir import metrics
from daitir.errors import DaitirError

# Two dialogues, three rounds: the first is found in round 1 and lost again, the second never.
RANKS = np.array([[20, 4, 12], [50, 60, 25]])


def test_hits_are_cumulative():
    """A dialogue that was found once stays found."""
    assert metrics.hits_at(RANKS, 10).tolist() == [[False, True, True], [False, False, False]]
    assert metrics.hits_at(RANKS, 10).mean(axis=0).tolist() == [0, 0.5, 0.5]


def test_recall_is_of_one_round():
    """A dialogue that is lost again counts no more."""
    assert metrics.recall_at(RANKS, 10).tolist() == [[False, True, False], [False, False, False]]


@pytest.mark.parametrize(("rank", "k", "hit"), [(10, 10, True), (11, 10, False), (1, 1, True)])
def test_rank_k_is_a_hit_at_k(rank, k, hit):
    """The border belongs to the hits."""
    assert metrics.hits_at(np.array([[rank]]), k).item() is hit


def test_best_so_far():
    """The best rank never gets worse."""
    assert metrics.best_so_far(RANKS).tolist() == [[20, 4, 4], [50, 50, 25]]


def test_reciprocal_rank():
    """The MRR is the mean of 1 / rank."""
    assert metrics.reciprocal_rank(np.array([[1], [4]])).mean() == 0.625


def test_log_rank_integral():
    """The trapezoids under ln of the best rank so far, a mean over the gaps between rounds."""
    first = (math.log(20) / 2 + math.log(4) + math.log(4) / 2) / 2
    second = (math.log(50) / 2 + math.log(50) + math.log(25) / 2) / 2
    np.testing.assert_allclose(metrics.log_rank_integral(RANKS), [first, second], rtol=1e-12)


def test_log_rank_integral_up_to_each_round():
    """Up to round 1 the mean of two logarithms; the last is that of all rounds, row by row."""
    found = metrics.log_rank_integrals(np.array([[8, 2, 4], [1, 1, 1]]))
    np.testing.assert_allclose(found[0], [np.log(16) / 2, (np.log(16) / 2 + np.log(4) / 2) / 2])
    assert found[1].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(metrics.log_rank_integrals(RANKS)[:, -1], metrics.log_rank_integral(RANKS))


def test_log_rank_integral_of_a_target_found_at_once_is_zero():
    """Rank 1 in round 0 is the best there is."""
    assert metrics.log_rank_integral(np.array([[1, 9]])).tolist() == [0.0]


def test_log_rank_integral_needs_two_rounds():
    """One round has no area."""
    with pytest.raises(DaitirError, match="two rounds"):
        metrics.log_rank_integral(np.array([[1]]))


def test_degradation_against_a_baseline():
    """Strictly worse is degraded, strictly better improved, equal neither; only these drop and gain."""
    rank, baseline = np.array([[30], [7], [5], [1]]), np.array([[10], [2], [5], [4]])
    degraded, improved = metrics.degraded(rank, baseline), metrics.improved(rank, baseline)
    assert degraded.ravel().tolist() == [True, True, False, False]
    assert improved.ravel().tolist() == [False, False, False, True]
    drop, gain = metrics.rank_drop(rank, baseline), metrics.rank_gain(rank, baseline)
    assert drop.ravel().tolist() == [20, 5, 0, 0]
    assert gain.ravel().tolist() == [0, 0, 0, 3]
    assert metrics.quantiles_over(drop, degraded, (0.5, 1.0)) == [12.5, 20.0]


def test_nothing_degraded_is_a_drop_of_zero():
    """Where nothing is lost, the quantiles of what is lost are 0 by definition."""
    none = np.zeros(3, dtype=bool)
    assert metrics.quantiles_over(np.arange(3), none, (0.5, 0.9)) == [0, 0]


def test_large_ranks_do_not_wrap():
    """Ranks of a table are small integers; their difference may be negative."""
    assert metrics.rank_change(np.array([[1]], np.uint16), np.array([[50_000]], np.uint16)).item() == -49_999


def test_other_queries_are_no_baseline():
    """A baseline of another shape is refused."""
    with pytest.raises(DaitirError, match="not of the same queries"):
        metrics.rank_change(RANKS, RANKS[:, :2])


def table(rows):
    return pd.DataFrame(rows, columns=["dialogue_id", "round", "rank"])


def test_rank_matrix_is_sorted_by_name():
    """A row a dialogue, a column a round, whatever the order of the table."""
    wide = metrics.rank_matrix(table([("b", 1, 4), ("a", 1, 2), ("b", 0, 3), ("a", 0, 1)]))
    assert wide.index.tolist() == ["a", "b"]
    assert wide.to_numpy().tolist() == [[1, 2], [3, 4]]
    assert wide.to_numpy().dtype == np.int64


def test_a_dialogue_without_a_round_is_refused():
    """A gap would make cumulative measures mean something else."""
    with pytest.raises(DaitirError, match="1 of 2 dialogues lack rounds, the first is 'a'"):
        metrics.rank_matrix(table([("a", 0, 1), ("b", 0, 1), ("b", 1, 2)]))
