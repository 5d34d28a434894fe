"""Tables of the measures, against ranks written by hand."""

import numpy as np
import pandas as pd
import pytest

from daitir.errors import DaitirError
from daitir.evaluation.comparisons import comparisons, verdict
from daitir.evaluation.gates import gate_by_similarity
from daitir.evaluation.rankings import Evaluation, Ranking
from daitir.evaluation.seeds import by_seed


def frame(*seeds, rounds=None):
    """Ranks table of matrices (dialogues x rounds), one a seed."""
    return pd.DataFrame(
        [
            {"seed": seed, "dialogue_id": f"d{d}", "round": r, "rank": rank}
            for seed, matrix in enumerate(seeds)
            for d, row in enumerate(matrix)
            for r, rank in enumerate(row)
        ]
    )


def evaluation(hits=(1, 10), **systems):
    rankings = {
        name: Ranking.of(name, None if name == "text" else "text", frame(*seeds))
        for name, seeds in systems.items()
    }
    return Evaluation("few", rankings, hits, resamples=200, seed=0)


def row(rows, **chosen):
    (found,) = [one for one in rows if all(one[key] == value for key, value in chosen.items())]
    return found


TEXT = [[20, 4], [8, 30], [50, 11], [1, 1]]


@pytest.mark.parametrize(
    ("measure", "round_", "value"),
    [
        ("hits@10", 0, 0.5),
        ("hits@10", 1, 0.75),  # the second dialogue was found in round 0 and stays found
        ("recall@10", 1, 0.5),
        ("hits@1", 1, 0.25),
        ("mrr", 1, (1 / 4 + 1 / 30 + 1 / 11 + 1) / 4),
        ("mean_rank", 0, 79 / 4),
        ("median_rank", 0, 14),
        ("log_rank", 0, np.log([20, 8, 50, 1]).mean()),
        ("bri", 1, (np.log([20, 8, 50, 1]).mean() + np.log([4, 8, 11, 1]).mean()) / 2),
    ],
)
def test_measure_by_round(measure, round_, value):
    """Every measure of four dialogues and two rounds."""
    found = row(evaluation(text=[TEXT]).by_round(), measure=measure, round=round_)
    assert found["value"] == pytest.approx(value)
    assert found["low"] <= found["value"] <= found["high"]
    assert found["lowest_seed"] == found["highest_seed"] == pytest.approx(value)


def test_seeds_are_averaged_within_dialogues_and_their_spread_is_stated():
    """Two trainings hit 1 and 2 of 4 dialogues: 37.5 %, between 25 and 50 %."""
    seeds = ([[9, 9], [11, 11], [11, 11], [11, 11]], [[9, 9], [9, 9], [11, 11], [11, 11]])
    rows = evaluation(text=[TEXT], adafuse=seeds).by_round()
    found = row(rows, system="adafuse", measure="hits@10", round=0)
    assert (found["value"], found["lowest_seed"], found["highest_seed"]) == (0.375, 0.25, 0.5)
    assert found["seeds"] == 2


def test_each_seed_has_its_own_values():
    """Two trainings that hit 1 and 2 of 4 dialogues, and lose against the text on 2 and 1 of them."""
    seeds = ([[9, 9], [11, 11], [51, 11], [1, 1]], [[9, 9], [9, 9], [11, 11], [1, 1]])
    rows = list(by_seed(evaluation(text=[TEXT], adafuse=seeds)))
    for measure, values in {
        "recall@10": (0.5, 0.75),
        "degradation_rate": (0.5, 0.25),  # at round 0 the text has 20, 8, 50, 1
        "rank_drop": (2, 1),
        "rank_gain": (11, 25),
        "median_rank": (10, 9),
    }.items():
        found = [row(rows, system="adafuse", seed=n, round=0, measure=measure)["value"] for n in (0, 1)]
        assert found == pytest.approx(values), measure
    assert {one["round"] for one in rows if one["measure"] == "bri"} == {1}  # round 0 alone has no area
    assert not [one for one in rows if one["system"] == "text" and one["measure"] == "degradation_rate"]


def test_a_seed_is_held_against_the_same_seed_of_its_baseline():
    """Both are trained twice: seed 0 loses on all four against seed 0, seed 1 on none against seed 1."""
    low, high = [[1], [1], [1], [1]], [[5], [5], [5], [5]]
    rankings = {
        "tuned": Ranking.of("tuned", None, frame(low, high)),
        "fused": Ranking.of("fused", "tuned", frame(high, low)),
    }
    found = Evaluation("few", rankings, (10,), resamples=200, seed=0)
    rates = [one for one in by_seed(found) if one["measure"] == "degradation_rate"]
    assert [(one["seed"], one["value"]) for one in rates] == [(0, 1.0), (1, 0.0)]
    (degradation,) = found.degradation()
    assert degradation["degradation_rate"] == 0.5


def test_degradation_of_ranks_written_by_hand():
    """At round 0 two of four fall back by 10 and 2, one gains 8; the mean drop is over the two alone."""
    dar = [[30, 4], [10, 30], [42, 11], [1, 1]]
    found = row(evaluation(text=[TEXT], dar=[dar]).degradation(), round=0)
    assert (found["degradation_rate"], found["improvement_rate"]) == (0.5, 0.25)
    assert (found["rank_drop"], found["rank_drop_median"], found["rank_drop_largest"]) == (6, 6, 10)
    assert (found["rank_gain"], found["rank_gain_median"]) == (8, 8)
    untouched = row(evaluation(text=[TEXT], dar=[dar]).degradation(), round=1)
    assert (untouched["degradation_rate"], untouched["rank_drop"], untouched["rank_drop_q90"]) == (0, 0, 0)


def test_seed_is_compared_with_the_same_seed_of_its_baseline():
    """Seeds of an encoder that rank 10 and 20, a fusion 11 and 22: all worse, by 1 and 2."""
    text, dar = ([[[10]] * 4, [[20]] * 4], [[[11]] * 4, [[22]] * 4])
    found = row(evaluation(text=text, dar=dar).degradation(), round=0)
    assert (found["degradation_rate"], found["rank_drop"]) == (1, 1.5)
    assert (found["rank_drop_lowest_seed"], found["rank_drop_highest_seed"]) == (1, 2)
    assert (found["degradation_rate_lowest_seed"], found["degradation_rate_highest_seed"]) == (1, 1)


def test_seed_is_compared_with_each_of_a_baseline_with_others():
    """One fusion at 15 against seeds at 10 and 20: worse than one of them."""
    found = row(evaluation(text=[[[10]] * 4, [[20]] * 4], dar=[[[15]] * 4]).degradation(), round=0)
    assert (found["degradation_rate"], found["rank_drop"]) == (0.5, 5)


def test_oracle_is_no_comparison_that_others_are_corrected_for():
    """Of two systems and an oracle, each system is corrected for two."""
    systems = {"one": [[[5, 5]] * 4], "two": [[[4, 4]] * 4], "oracle": [[[1, 1]] * 4]}
    rows = comparisons(evaluation(text=[[[20, 20]] * 4], **systems), oracles={"oracle"})
    found = {name: row(rows, system=name, measure="hits@10", round=0) for name in systems}
    assert [one["p_holm"] / one["p"] for one in found.values()] == [2, 2, 1]


def test_comparison_of_one_seed_is_mcnemar_and_of_several_a_sign_flip():
    """Ten dialogues won and none lost: p = 2 / 2^10."""
    text, better = [[20, 20]] * 12, [[5, 5]] * 10 + [[20, 20]] * 2
    rows = comparisons(evaluation(text=[text], one=[better], two=[better, text]))
    one = row(rows, system="one", measure="hits@10", round=1)
    assert (one["test"], one["p"], one["p_holm"]) == (
        "McNemar exact",
        pytest.approx(2**-9),
        pytest.approx(2**-8),
    )
    assert (one["difference"], one["verdict"]) == (pytest.approx(10 / 12), "better")
    two = row(rows, system="two", measure="hits@10", round=1)
    assert (two["test"], two["difference"]) == ("sign flip", pytest.approx(5 / 12))


def test_equal_systems_differ_in_nothing():
    """No difference, an interval of no width, p = 1."""
    for found in comparisons(evaluation(text=[TEXT], same=[TEXT])):
        assert (found["difference"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)
        assert found["verdict"] == "no difference shown"


@pytest.mark.parametrize(
    ("measure", "difference", "p", "word"),
    [
        ("hits@10", 0.1, 0.01, "better"),
        ("hits@10", -0.1, 0.01, "worse"),
        ("hits@10", 0.1, 0.05, "no difference shown"),
        ("bri", -0.1, 0.01, "better"),  # lower is better
        ("log_rank", 0.1, 0.01, "worse"),
    ],
)
def test_verdict_knows_which_way_is_better(measure, difference, p, word):
    """A verdict needs p below 0.05."""
    assert verdict(measure, difference, p) == word


def test_single_round_has_no_integral():
    """A measure over rounds needs two."""
    rows = list(evaluation(text=[[[3], [4]]]).by_round())
    assert {found["round"] for found in rows} == {0}
    assert "bri" not in {found["measure"] for found in rows}


def test_rankings_of_other_dialogues_are_refused():
    """A paired comparison needs the same dialogues and rounds."""
    with pytest.raises(DaitirError, match="not of the same"):
        evaluation(text=[TEXT], dar=[TEXT[:3]])


def test_seeds_of_other_dialogues_are_refused():
    """So do the seeds of one system."""
    with pytest.raises(DaitirError, match="seeds differ"):
        Ranking.of("adafuse", None, frame(TEXT, TEXT[:3]))


def test_gate_goes_by_tenths_of_similarity():
    """Twenty queries whose gate falls as text and image agree: ten tenths of two."""
    similarity = np.arange(20) / 20
    ranks = pd.DataFrame({"seed": 0, "round": 0, "similarity": similarity, "gate": 0.9 - similarity / 2})
    rows = list(gate_by_similarity("few", "adafuse", ranks.sample(frac=1, random_state=0)))
    assert [found["queries"] for found in rows] == [2] * 10
    assert rows[0]["gate"] == pytest.approx(0.9 - 0.0125)
    assert rows[-1]["similarity"] == pytest.approx(0.925)


@pytest.mark.parametrize("gate", [None, 0.7])
def test_schedule_is_no_weighing(gate):
    """A system without a gate, or with the same for all queries of a round, has no rows."""
    ranks = pd.DataFrame({"seed": 0, "round": 0, "similarity": [0.1, 0.2], "gate": [gate, gate]})
    assert list(gate_by_similarity("few", "dar", ranks)) == []
