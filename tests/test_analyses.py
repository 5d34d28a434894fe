"""Analyses of ranks: tables of cases worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from daitir.analyses import changes, cost, gains, length, queries, repetition
from daitir.analyses.options import AnalysedSystem, SystemSources
from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing
from daitir.dialogues import Dialogue, write_dialogues
from daitir.errors import DaitirError
from daitir.evaluation.rankings import Ranking
from daitir.features import write_features
from daitir.plots import draw_chart
from daitir.queries import Query, query_key, write_queries
from daitir.ranks import write_ranks

IDS = ("a", "b", "c")
TURNS = {"a": ("one", "two three"), "b": ("one two three", "One  two THREE"), "c": ("one two", "three four")}
RANKS = {"text": [[20, 4], [8, 40], [1, 1]], "dar": [[2, 8], [16, 10], [1, 1]]}


def ranks_frame(matrix, ties=0):
    """Ranks table of a matrix (dialogues x rounds)."""
    rows = [(name, r, rank) for name, row in zip(IDS, matrix, strict=True) for r, rank in enumerate(row)]
    frame = pd.DataFrame(rows, columns=["dialogue_id", "round", "rank"])
    empty = {"gate": None, "router": None, "similarity": None, "top_keys": [["x"]] * len(frame)}
    return frame.assign(
        seed=0, target="x", ties=ties, target_score=0.5, top_scores=[[0.5]] * len(frame), **empty
    )


@pytest.fixture
def subject(tmp_path):
    """Two systems on three dialogues of two rounds."""
    asked = [(name, r) for name in IDS for r in range(2)]
    dialogues, features, texts = (tmp_path / name for name in ("d.parquet", "q.h5", "t.parquet"))
    write_dialogues(dialogues, [Dialogue(name, "x", TURNS[name]) for name in IDS], {})
    cut = np.array([name == "b" and r == 1 for name, r in asked])
    write_features(features, [query_key(*one) for one in asked], np.ones((6, 1)), {"options": {}}, cut)
    write_queries(texts, [Query(name, r, f"{name} at {r}", ("p",)) for name, r in asked], {})
    sources = {}
    for system, matrix in RANKS.items():
        path, spent = tmp_path / f"{system}.parquet", tmp_path / f"{system}.tsv"
        write_ranks(path, ranks_frame(matrix, ties=int(system == "dar")), {})
        spent.write_text("s\th:m:s\n12.0\t0:00:12\n")
        sources[system] = SystemSources(
            dialogues=dialogues,
            queries=features,
            texts=(texts,),
            ranks=path,
            seconds={"generate": (spent, spent), "rank": (spent,)},
        )
    systems = {
        name: AnalysedSystem(encoder="e", queries="q", baseline=None if name == "text" else "text")
        for name in RANKS
    }
    return Subject("few", systems, sources, (1, 10), resamples=100, seed=0, examples=1)


def one(rows, **chosen):
    (found,) = [row for row in rows if all(row[key] == value for key, value in chosen.items())]
    return found


def test_shares_of_truncated_and_tied_queries(subject):
    """One of three queries of round 1 was cut; every target of dar ties with one candidate."""
    rows = list(queries.rows(subject))
    assert one(rows, system="text", round=0)["truncated"] == 0
    found = one(rows, system="dar", round=1)
    assert (found["truncated"], found["tied"], found["ties_mean"], found["ties_largest"]) == (1 / 3, 1, 1, 1)


def test_features_that_do_not_say_what_was_cut_are_refused(subject, tmp_path):
    """A share of unknown texts would be a guess."""
    write_features(tmp_path / "q.h5", ["a_r0"], np.ones((1, 1)), {"options": {}})
    with pytest.raises(DaitirError, match="which texts were cut"):
        list(queries.rows(subject))


def test_thirds_are_of_equal_size_and_ties_go_by_the_name():
    """Five dialogues make groups of two, two and one."""
    found = length.thirds({"e": 3, "d": 1, "c": 2, "b": 2, "a": 9})
    assert found == {"short": ["d", "b"], "middle": ["c", "e"], "long": ["a"]}
    assert length.thirds({"a": 1}) == {"short": ["a"]}


def test_length_counts_the_words_of_all_rounds(subject):
    """Three, four and six words: one dialogue a third, whose hits are its own."""
    rows = list(length.rows(subject))
    found = [one(rows, system="text", length=name, measure="hits@10", round=1) for name in length.NAMES]
    assert [(row["words_from"], row["words_to"], row["number"]) for row in found] == [
        (3, 3, 1),
        (4, 4, 1),
        (6, 6, 1),
    ]
    assert [row["value"] for row in found] == [1, 1, 1]
    assert one(rows, system="text", length="short", measure="recall@10", round=0)["value"] == 0


def test_degradation_of_a_group_is_against_its_own_dialogues(subject):
    """The short dialogue goes from 20 to 2 at round 0 and from 4 to 8 at round 1."""
    rows = list(length.rows(subject))
    found = [
        one(rows, system="dar", length="short", measure="degradation_rate", round=round_) for round_ in (0, 1)
    ]
    assert [row["value"] for row in found] == [0, 1]
    assert not [row for row in rows if row["system"] == "text" and row["measure"] == "degradation_rate"]


@pytest.mark.parametrize(
    ("turns", "share", "band"),
    [
        (("a",), 0, "none"),
        (("a", "b", "c"), 0, "none"),
        (("a", "A ", "b", "c", "d"), 0.25, "up to 25 %"),
        (("a", "b", "b"), 0.5, "up to 50 %"),
        (("a", "a", "a"), 1, "above"),
    ],
)
def test_share_of_repeated_turns(turns, share, band):
    """A turn after the caption that an earlier one equals, whatever its case and blanks."""
    assert repetition.repeated(turns) == share
    assert repetition.band(share) == band


def test_repetition_has_rows_for_the_bands_that_there_are(subject):
    """Dialogue b says its caption again, the two others say nothing twice."""
    rows = [row for row in repetition.rows(subject) if row["measure"] == "mrr" and row["round"] == 0]
    found = {(row["system"], row["repeated"]): (row["number"], row["value"]) for row in rows}
    assert found["text", "none"] == (2, pytest.approx((1 / 20 + 1) / 2))
    assert found["text", "above"] == (1, 1 / 8)
    assert len(found) == 4


def test_changes_run_from_gain_to_loss(subject):
    """At round 0 dar moves 20 -> 2, 8 -> 16 and 1 -> 1."""
    rows = [row for row in changes.rows(subject) if row["round"] == 0]
    assert [row["quantile"] for row in rows] == pytest.approx([step / 20 for step in range(21)])
    assert (rows[0]["ranks_lost"], rows[10]["ranks_lost"], rows[-1]["ranks_lost"]) == (-18, 0, 8)
    assert rows[0]["log_ratio"] == pytest.approx(np.log(2 / 20))


def test_changes_are_averaged_over_seeds():
    """A query that gains 4 ranks with one seed and loses 2 with the other gains one."""
    both = pd.concat([ranks_frame([[6], [1], [1]]), ranks_frame([[12], [1], [1]]).assign(seed=1)])
    text = Ranking.of("text", None, ranks_frame([[10], [1], [1]]))
    lost_DR, log_DR = changes.changes(Ranking.of("adafuse", "text", both), text)
    assert lost_DR[0, 0] == -1
    assert log_DR[0, 0] == pytest.approx((np.log(0.6) + np.log(1.2)) / 2)


def test_gains_name_the_queries_that_move_furthest(subject):
    """One gain and one loss a round, by the ratio of ranks, with the text that was asked."""
    rows = [row for row in gains.rows(subject) if row["round"] == 1]
    assert [(row["dialogue_id"], row["change"], row["baseline_rank"], row["rank"]) for row in rows] == [
        ("b", "gain", 40, 10),
        ("a", "loss", 4, 8),
    ]
    assert rows[0]["query_text"] == "b at 1"


def test_unchanged_queries_are_no_gains():
    """However many are asked for."""
    assert gains.furthest(np.array([0.0, -1.0, 0.0, 2.0, 1.0]), 4) == [1, 3, 4]


def test_cost_is_seconds_a_query(subject):
    """36 seconds of jobs for six queries; the system whose jobs left no file has no row."""
    sources = subject.sources
    lost = sources["dar"].model_copy(update={"seconds": {"rank": (sources["dar"].ranks.parent / "no",)}})
    sources["dar"] = lost
    rows = list(cost.rows(subject))
    assert {row["system"] for row in rows} == {"text"}
    assert (rows[0]["seconds"], rows[0]["seconds_generate"], rows[0]["seconds_encode"]) == (6, 4, 0)


def test_systems_that_are_ranked_together_share_the_seconds(subject):
    """Twelve seconds of one job, two systems, six queries each."""
    sources, (spent,) = subject.sources, subject.sources["text"].seconds["rank"]
    for name, one in list(sources.items()):
        sources[name] = one.model_copy(update={"seconds": {"rank": (spent,)}})
    assert [row["seconds_rank"] for row in cost.rows(subject)] == [1.0] * len(list(cost.rows(subject)))
    assert {row["system"] for row in cost.rows(subject)} == {"text", "dar"}


def test_broken_benchmark_file_is_named(tmp_path):
    """A line, no trace."""
    (tmp_path / "x.tsv").write_text("nothing\n")
    with pytest.raises(DaitirError, match="no benchmark file"):
        cost.seconds_in(tmp_path / "x.tsv")


@pytest.mark.parametrize("module", [queries, length, repetition, changes, cost])
def test_figure_names_the_systems(subject, module):
    """Each line is named in text."""
    drawing = Drawing("few", ("text", "dar"), 10, (0, 1))
    drawn = draw_chart(module.figure(pd.DataFrame(module.rows(subject)), drawing))
    assert ">dar</text>" in drawn.svg
    assert drawn.png.startswith(b"\x89PNG")
