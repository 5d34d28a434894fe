"""The data of the default configuration."""

import json

from PIL import Image

from daitir.mini.make import EVALUATION, Collection, make

STYLES = {"val.json": "human", "val-llm.json": "llm"}
TINY = Collection("val", "images", "corpus.json", 40, 5, STYLES, {"all.json": "human"})


def read(path):
    return json.loads(path.read_text())


def test_data_is_whole(tmp_path):
    """Every image of the corpus is there, and every dialogue is about one of them."""
    make(tmp_path, (TINY,))
    corpus = read(tmp_path / "corpus.json")
    assert len(set(corpus)) == 40
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == corpus
    assert Image.open(tmp_path / "images" / corpus[0]).size == (48, 48)
    human, polite = read(tmp_path / "val.json"), read(tmp_path / "val-llm.json")
    assert [row["img"] for row in human] == [row["img"] for row in polite]
    assert {row["img"] for row in human} <= set(corpus)
    assert all(len(row["dialog"]) == 11 for row in human + polite)


def test_every_picture_has_a_dialogue(tmp_path):
    """One file is about the whole corpus, and holds the smaller one of its style as it is."""
    make(tmp_path, (TINY,))
    whole = read(tmp_path / "all.json")
    assert [row["img"] for row in whole] == read(tmp_path / "corpus.json")
    assert all(row in whole for row in read(tmp_path / "val.json"))


def test_data_is_the_same_each_time(tmp_path):
    """The same seed gives the same bytes, also over what was made before; another seed gives others."""
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        make(tmp_path / folder, (TINY,), seed)
    make(tmp_path / "a", (TINY,), 0)
    files = {
        folder: {p.relative_to(tmp_path / folder): p.read_bytes() for p in (tmp_path / folder).rglob("*.*")}
        for folder in "abc"
    }
    assert files["a"] == files["b"]
    assert files["a"] != files["c"]


def test_three_styles_talk_about_the_same_targets():
    """So that styles can be compared."""
    assert set(EVALUATION.styles.values()) == {"human", "llm", "repetitive"}
