"""The upper line: for each query the better of two systems."""

import json
import sys

import pandas as pd
import pytest

from daitir.errors import DaitirError
from daitir.fusions.oracle import best_of
from daitir.ranks import SCHEMA, ranks_provenance, read_ranks
from daitir.stages import rank, rank_oracle
from tests.sample_files import World, write_world


def frame(ranks, seed=0, **columns):
    rows = {"dialogue_id": ["a", "a", "b", "b"], "round": [0, 1, 0, 1], "seed": seed, "target": "t"}
    return pd.DataFrame(rows | {"rank": ranks} | columns)


def test_the_better_of_two_by_hand():
    """Each query has the row of the lower rank; where both are equal, that of the system named first."""
    chosen = best_of(
        {"text": frame([5, 3, 2, 9], score="text"), "dar": frame([4, 3, 7, 1], score="dar").iloc[::-1]}
    )
    assert chosen["rank"].tolist() == [4, 3, 2, 1]
    assert chosen["score"].tolist() == ["dar", "text", "text", "dar"]
    assert chosen["dialogue_id"].tolist() == ["a", "a", "b", "b"]


def test_one_seed_meets_every_seed():
    """The text, which is not trained, stands beside each training of the other."""
    trained = pd.concat([frame([6, 1, 6, 1], seed=0), frame([1, 6, 1, 6], seed=2)])
    chosen = best_of({"text": frame([3, 3, 3, 3]), "adafuse": trained})
    assert chosen["seed"].tolist() == [0] * 4 + [2] * 4
    assert chosen["rank"].tolist() == [3, 1, 3, 1, 1, 3, 1, 3]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (frame([1, 1, 1, 1]).iloc[:3], "'b' are not of the queries that 'a' ranked"),
        (frame([1, 1, 1, 1], target="u"), "'b' are not of the queries that 'a' ranked"),
    ],
)
def test_other_queries_are_refused(other, message):
    """Ranks of other dialogues, rounds or targets cannot be chosen among."""
    with pytest.raises(DaitirError, match=message):
        best_of({"a": frame([1, 1, 1, 1]), "b": other})


def test_other_seeds_are_refused():
    """Two trained systems are compared training by training."""
    one, other = (pd.concat([frame([1] * 4, seed=seed) for seed in seeds]) for seeds in ((0, 1), (0, 2)))
    with pytest.raises(DaitirError, match=r"'b' was trained with seeds \[0, 2\], 'a' with \[0, 1\]"):
        best_of({"a": one, "b": other})


def call(monkeypatch, stage, *arguments):
    monkeypatch.setattr(sys, "argv", ["stage", *map(str, arguments)])
    stage.main()


def rank_by(monkeypatch, sources, folder, kind):
    path = folder / f"{kind}.parquet"
    pictures = [] if kind == "text" else ["--pictures", *sources.pictures]
    call(
        monkeypatch,
        rank,
        *("--options", json.dumps({"code": "c", "fusion": {"kind": kind}})),
        *("--dialogues", sources.dialogues, "--queries", sources.queries, *pictures),
        *("--corpus", sources.corpus, "--output", path),
    )
    return path


def oracle(monkeypatch, of, ranks, output):
    options = json.dumps({"code": "c", "fusion": {"kind": "oracle", "of": of}})
    call(monkeypatch, rank_oracle, "--options", options, "--ranks", *ranks, "--output", output)
    return read_ranks(output)


def test_the_stage(monkeypatch, tmp_path):
    """From two systems' ranks a table like any other, which is never worse than either of them."""
    sources = write_world(tmp_path, World(dialogues=20, rounds=3, images=2, candidates=60, noise=2.0))
    paths = [rank_by(monkeypatch, sources, tmp_path, kind) for kind in ("text", "dar")]
    chosen = oracle(monkeypatch, ["text", "dar"], paths, tmp_path / "o.parquet")
    text, dar = (read_ranks(path)["rank"] for path in paths)
    assert chosen["rank"].tolist() == pd.concat([text, dar], axis=1).min(axis=1).tolist()
    assert (chosen["rank"] < text).any()
    assert (chosen["rank"] < dar).any()
    assert chosen.columns.tolist() == SCHEMA.names
    made = ranks_provenance(tmp_path / "o.parquet")
    assert made["options"]["fusion"]["of"] == ["text", "dar"]
    assert set(made["inputs"]) == {"ranks of text", "ranks of dar"}


def test_ranks_on_another_corpus_are_refused(monkeypatch, tmp_path):
    """Among other candidates a rank means something else; and each system has one table."""
    paths = []
    for candidates in (60, 70):
        folder = tmp_path / str(candidates)
        folder.mkdir()
        sources = write_world(folder, World(dialogues=5, rounds=1, candidates=candidates))
        paths.append(rank_by(monkeypatch, sources, folder, "text"))
    with pytest.raises(DaitirError, match="candidates differs"):
        oracle(monkeypatch, ["one", "two"], paths, tmp_path / "o.parquet")
    with pytest.raises(DaitirError, match="1 ranks tables for 2 systems"):
        oracle(monkeypatch, ["one", "two"], paths[:1], tmp_path / "o.parquet")
