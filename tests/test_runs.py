"""TREC runs: what other programs read from them is what our own measures say."""

from pathlib import Path

import ir_measures
import numpy as np
import pandas as pd
import pytest
from ir_measures import RR, Success

from daitir.errors import DaitirError
from daitir.evaluation.rankings import Evaluation, Ranking
from daitir.layout import Layout
from daitir.ranks import write_ranks
from daitir.runs import judgements, run_text, token
from daitir.stages.write_runs import WriteRunsOptions, run
from tests.synthetic import ROUNDS, SEEDS, SET, make_results, ranks_frame

KEYS = [f"images/{number:02d}.png" for number in range(40)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Layout of a results folder with its runs."""
    folder = tmp_path_factory.mktemp("runs")
    make_results(folder)
    options = {"code": "x", "systems": {SET: list(SEEDS)}}
    run(WriteRunsOptions.parse(options, "test"), folder / "results")
    return Layout(str(folder / "results"))


def run_of(layout, system, round_, seed):
    """Path of a run."""
    return layout.run(system, SET, round_, seed if SEEDS[system] > 1 else None)


def read(layout, system, round_, seed, measures):
    """What ir_measures (here trec_eval) finds in a run."""
    qrels = ir_measures.read_trec_qrels(layout.judgements(SET))
    ranking = ir_measures.read_trec_run(run_of(layout, system, round_, seed))
    return ir_measures.calc_aggregate(measures, qrels, ranking)


@pytest.mark.parametrize("system", SEEDS)
def test_trec_eval_finds_our_figures(written, system):
    """Success@k is our Recall@k and RR our MRR, at every round, averaged over seeds."""
    ranking = Ranking.of(system, None, ranks_frame(system, KEYS))
    rows = pd.DataFrame(Evaluation(SET, {system: ranking}, (1, 10), 100, 0).by_round())
    ours = rows.set_index(["measure", "round"])["value"]
    for round_ in range(ROUNDS):
        theirs = [
            read(written, system, round_, seed, [Success @ 1, Success @ 10, RR])
            for seed in range(SEEDS[system])
        ]
        for measure, name in ((Success @ 1, "recall@1"), (Success @ 10, "recall@10"), (RR, "mrr")):
            assert np.mean([found[measure] for found in theirs]) == pytest.approx(ours[name, round_])


def test_every_run_is_there_once(written):
    """A file a system, round and, where there are several, seed; and one with the judgements."""
    wanted = ((system, r, n) for system in SEEDS for r in range(ROUNDS) for n in range(SEEDS[system]))
    runs = {run_of(written, *which) for which in wanted}
    found = {str(path) for path in (Path(written.results) / "runs").glob("[!.]*")}
    assert found == runs | {written.judgements(SET)}


def one(rank, top, target="target"):
    """Ranks table of one query."""
    return pd.DataFrame(
        {"dialogue_id": ["a dialogue"], "target": [target], "rank": [rank], "top_keys": [np.array(top)]}
    )


@pytest.mark.parametrize(
    ("rank", "top", "places"),
    [
        (1, ["target", "b", "c"], ["target", "b", "c"]),
        (3, ["a", "b", "target"], ["a", "b", "target"]),
        (3, ["a", "target", "c"], ["a", "c", "target"]),  # it ties with c, and ties count against it
        (5, ["a", "b", "c"], ["a", "b", "c", "?4", "target"]),
        (5, ["target", "b", "c"], ["b", "c", "?3", "?4", "target"]),  # five tie
        (7, ["a", "b", "c"], ["a", "b", "c"]),  # deeper than the run
    ],
)
def test_target_stands_at_its_rank(rank, top, places):
    """Unknown candidates fill the places between the best and the target."""
    lines = run_text(one(rank, top), "dar", depth=6).splitlines()
    assert [line.split()[2] for line in lines] == places
    assert [int(line.split()[3]) for line in lines] == list(range(1, len(places) + 1))


def test_scores_fall_strictly():
    """No reader has a tie to break: in any float the order is that of the places."""
    lines = run_text(one(40_000, ["a", "b", "c"]), "dar", depth=None).splitlines()
    scores = np.array([line.split()[4] for line in lines], dtype=np.float32)
    assert len(lines) == 40_000
    assert (np.diff(scores) < 0).all()


def test_names_with_blanks_stay_one_word():
    """A blank would end a column; what is encoded can be told apart from what looks encoded."""
    assert token("my photo.png") == "my%20photo.png"
    assert token("my%20photo.png") == "my%2520photo.png"
    assert judgements({"a dialogue": "été 1.png"}) == "a%20dialogue 0 été%201.png 1\n"
    assert run_text(one(1, ["target"]), "dar", 10) == "a%20dialogue Q0 target 1 -1 dar\n"


def test_name_of_an_unknown_candidate_is_no_name():
    """A real one that is called so is refused by name."""
    with pytest.raises(DaitirError, match=r"'\?4' begins with"):
        run_text(one(1, ["?4"], target="?4"), "dar", 10)


def test_systems_of_other_dialogues_are_refused(tmp_path):
    """One file of judgements is for all systems of a dialogue set."""
    make_results(tmp_path)
    results = tmp_path / "results"
    frame = ranks_frame("dar", KEYS)
    fewer = frame[frame["dialogue_id"] != "dialogue-00"]
    write_ranks(Path(Layout(str(results)).ranks("dar", SET)), fewer, {})
    options = WriteRunsOptions.parse({"code": "x", "systems": {SET: ["text", "dar"]}}, "test")
    with pytest.raises(DaitirError, match="other dialogues or targets"):
        run(options, results)
