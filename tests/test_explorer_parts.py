"""The parts of the explorer: numbers and texts packed, ranks as arrays, pairs and dialogues chosen."""

import json

import numpy as np
import pandas as pd
import pytest

from daitir.errors import DaitirError
from daitir.explorer.choosing import choose, pairs_of
from daitir.explorer.configured import Configured, Shown
from daitir.explorer.packing import pack_counts, pack_text, pack_values
from daitir.explorer.rankings import Keys, read_rankings
from daitir.explorer.texts import CHUNK, chunks_of_texts
from daitir.queries import Query, write_queries
from daitir.ranks import write_ranks
from tests.explorer_files import numbers, unpack
from tests.synthetic import made


@pytest.mark.parametrize(
    ("counts", "type_"),
    [([0, 255], "uint8"), ([256, 1], "uint16"), ([50_000], "uint16"), ([65_536], "uint32"), ([], "uint8")],
)
def test_counts_take_the_smallest_type(counts, type_):
    """Ranks among 50,000 candidates take two bytes."""
    packed = pack_counts(np.array(counts, np.int64))
    assert (packed["type"], numbers(packed)) == (type_, counts)


@pytest.mark.parametrize(
    ("values", "type_", "multiples"),
    [
        ([0.67392147, -0.5, 1.0], "int16", [6739, -5000, 10000]),
        ([np.nan, 0.5, np.inf], "int16", [-32768, 5000, -32768]),
        ([4.0, np.nan], "int32", [40000, -(2**31)]),
    ],
)
def test_values_keep_four_decimals(values, type_, multiples):
    """What is not finite is absent."""
    packed = pack_values(np.array(values, np.float32))
    assert (packed["type"], numbers(packed)) == (type_, multiples)


def test_texts_are_packed_as_json():
    """Letters of any script come back."""
    assert json.loads(unpack(pack_text({"turns": ["ein Stern? ja, größer"]}))) == {
        "turns": ["ein Stern? ja, größer"]
    }


def system(name, place, baseline=None, queries="llm"):
    return Shown(name, place, baseline, queries)


@pytest.mark.parametrize(
    ("systems", "pairs"),
    [
        ([system("a", 0), system("b", 1, "a"), system("c", 2, "b")], [("c", "b"), ("b", "a")]),
        ([system("a", 0), system("b", 1, "a"), system("best", 2, "a", None)], [("b", "a"), ("best", "a")]),
        ([system("a", 0), system("b", 1), system("c", 2)], [("b", "a"), ("c", "a")]),  # no baselines
        ([system("a", 0), system("b", 1, "elsewhere")], [("b", "a")]),
        ([system("a", 0)], [("a", "a")]),
    ],
)
def test_pairs_begin_with_the_last_system_that_has_a_baseline(systems, pairs):
    """An oracle is no system."""
    assert pairs_of(systems) == pairs


def test_chosen_dialogues_gained_or_lost_most():
    """Half from the first pair, in turn; the rest from all pairs; only the last round counts."""
    text = np.array([[9, 8], [9, 8], [9, 8], [9, 8], [9, 8]])
    ranks = {"text": text, "a": text.copy(), "b": text.copy()}
    ranks["a"][:, 1] = [8, 2, 16, 4, 80]  # gains: 1, 3; losses: 4, 2
    ranks["b"][:, 1] = [1, 8, 8, 8, 8]  # gains: 0
    pairs = [("a", "text"), ("b", "text")]
    assert choose(ranks, pairs, 2) == [0, 1]
    assert choose(ranks, pairs, 4) == [0, 1, 3, 4]
    assert choose(ranks, pairs[:1], 4) == [1, 2, 3, 4]
    assert choose(ranks, pairs, 99) == [0, 1, 2, 3, 4]
    assert choose(ranks, pairs, 0) == []


def test_oracle_stands_where_its_systems_stand():
    """One that chooses from a system of another dialogue set is left out."""
    one = {"encoder": "blip", "queries": "llm", "method": "text"}
    config = Configured.model_validate(
        {
            "corpora": {},
            "dialogues": {},
            "systems": {"here": one, "there": one | {"dialogues": ["other"]}},
            "oracles": {"both": {"of": ["here", "there"]}, "own": {"of": ["here"], "baseline": "here"}},
            "evaluate": ["set", "other"],
        }
    )
    order = ("here", "there", "both", "own")
    assert [(shown.name, shown.place) for shown in config.shown_on("set", order)] == [("here", 0), ("own", 3)]
    assert [shown.name for shown in config.shown_on("other", order)] == ["here", "there", "both", "own"]


def rank_rows(rows):
    """A ranks table of (dialogue, round, seed, rank, top keys)."""
    columns = {"ties": 0, "target": "t", "target_score": 0.5, "gate": None, "router": None, "similarity": 0.1}
    return pd.DataFrame(
        [
            {"dialogue_id": d, "round": r, "seed": s, "rank": rank, "top_keys": top}
            | {"top_scores": [0.9] * len(top)}
            | columns
            for d, r, s, rank, top in rows
        ]
    )


def test_rankings_have_places_by_name(tmp_path):
    """Rows stand by dialogue, round and seed, whatever their order; short lists end with -1."""
    rows = [("b", 0, 0, 3, ["x"]), ("a", 0, 0, 1, ["y", "x"]), ("b", 0, 4, 5, []), ("a", 0, 4, 2, ["z"])]
    write_ranks(tmp_path / "ranks.parquet", rank_rows(rows), made("rank"))
    keys = Keys()
    rounds, (first, second) = read_rankings(tmp_path / "ranks.parquet", ["b", "a"], keys)
    assert (rounds, first.seed, second.seed) == ([0], 0, 4)
    assert first.rank_DR.tolist() == [[3], [1]]
    assert second.rank_DR.tolist() == [[5], [2]]
    names = [[keys.names[key] if key >= 0 else None for key in top[0]] for top in first.top_DRT]
    assert names == [["x", None], ["y", "x"]]
    assert np.isnan(first.score_DRT[0, 0, 1])


@pytest.mark.parametrize("ids", [["a"], ["a", "b", "c"], ["a", "c"]])
def test_ranks_of_other_dialogues_are_refused(tmp_path, ids):
    """A table with a dialogue more, less or other than the set stops the page by its name."""
    rows = [("a", 0, 0, 1, ["y"]), ("b", 0, 0, 3, ["x"])]
    write_ranks(tmp_path / "ranks.parquet", rank_rows(rows), made("rank"))
    with pytest.raises(DaitirError, match=r"ranks.parquet does not hold each round of all"):
        read_rankings(tmp_path / "ranks.parquet", ids, Keys())


def test_texts_are_stored_once_and_in_chunks(tmp_path):
    """A prompt that comes back takes a number; the last chunk is shorter; a missing query is named."""
    ids = [f"{number:03d}" for number in range(CHUNK + 1)]
    queries = [Query(name, r, f"{name} {r}", ("same", "same", name)) for name in ids for r in (0, 1)]
    write_queries(tmp_path / "queries.parquet", queries, made("reformulate"))
    first, last = chunks_of_texts([tmp_path / "queries.parquet"], ids, [0, 1])
    assert (len(first["query"]), len(last["query"])) == (CHUNK, 1)
    assert last["strings"] == ["128 0", "128 1", "same", "128"]
    assert (last["query"], last["prompts"]) == ([[0, 1]], [[[2, 2, 3], [2, 2, 3]]])
    with pytest.raises(DaitirError, match="lacks query 000_r2"):
        list(chunks_of_texts([tmp_path / "queries.parquet"], ids, [0, 1, 2]))
