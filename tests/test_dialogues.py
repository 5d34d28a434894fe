"""Dialogue files are read whole or refused by name."""

import json

import pytest

from daitir.corpora import read_corpus
from daitir.dialogues import Dialogue, read_chatir, read_dialogues, write_dialogues
from daitir.errors import DaitirError
from daitir.stages.import_dialogues import ImportOptions, run

RECORD = {"stage": "test"}


def entry(target="a.png", *turns):
    return {"img": target, "dialog": list(turns or ("a red star", "is it large? yes"))}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def run_import(folder, entries, corpus=("a.png", "b.png"), rounds=2, limit=None):
    file, candidates = write(folder / "d.json", entries), write(folder / "c.json", list(corpus))
    options = ImportOptions(code="x", format="chatir", rounds=rounds, limit=limit)
    run(options, file, candidates, folder / "out.parquet", {})
    return read_dialogues(folder / "out.parquet")


def test_chatir_dialogue_is_named_by_its_target(tmp_path):
    """The id is the stem of the image, fit for a key."""
    file = write(tmp_path / "d.json", [entry("unlabeled2017/0001.x.jpg", "caption", "q? a")])
    assert read_chatir(file) == [Dialogue("0001-x", "unlabeled2017/0001.x.jpg", ("caption", "q? a"))]


def test_two_dialogues_about_one_target_have_two_ids(tmp_path):
    """Where targets repeat, the turns are part of the name."""
    file = write(tmp_path / "d.json", [entry("a.png", "one"), entry("a.png", "two"), entry("b.png", "three")])
    ids = [dialogue.dialogue_id for dialogue in read_chatir(file)]
    assert len(set(ids)) == 3
    assert ids[2] == "b"


def test_dialogues_are_read_as_they_were_written(tmp_path):
    """Parquet keeps turns and their order."""
    dialogues = [Dialogue("a", "a.png", ("caption", "q? a")), Dialogue("b", "b.png", ("another",))]
    write_dialogues(tmp_path / "d.parquet", dialogues, RECORD)
    assert read_dialogues(tmp_path / "d.parquet") == dialogues


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("{", "is not JSON"),
        ([], "is not a list of dialogues"),
        ([{"dialog": ["a"]}], "entry 0 has no `img`"),
        ([{"img": "a.png", "dialog": []}], r"entry 0 \(a.png\) has no `dialog`"),
        ([entry("a.png", " ", "q? a")], "has no caption"),
        ([entry("a.png"), entry("a.png")], "twice"),
        ([entry("x.png")], "1 of 1 targets are not in .*'x.png'"),
        ([entry("a.png", "caption only")], "too short.*'a' with 1 turns for 2 rounds"),
    ],
)
def test_bad_dialogue_file_is_refused_by_name(tmp_path, entries, message):
    """The error says what is wrong and where, and nothing is written."""
    with pytest.raises(DaitirError, match=message):
        run_import(tmp_path, entries)
    assert not (tmp_path / "out.parquet").exists()


def test_limit_keeps_what_a_smaller_limit_took(tmp_path):
    """Dialogues are drawn by name, so raising the limit only adds."""
    entries = [entry(f"{number}.png") for number in range(9)]
    corpus = [f"{number}.png" for number in range(9)]
    three = run_import(tmp_path, entries, corpus, limit=3)
    five = run_import(tmp_path, entries[::-1], corpus, limit=5)
    assert len(three) == 3
    assert set(three) < set(five)


def test_limit_above_the_file_is_refused(tmp_path):
    """Fewer dialogues than asked for are not quietly fewer."""
    with pytest.raises(DaitirError, match="limit: 7"):
        run_import(tmp_path, [entry()], limit=7)


@pytest.mark.parametrize(
    ("content", "message"),
    [("[", "is not JSON"), ([], "not a JSON list"), ([1], "not a JSON list"), (["a", "a"], "twice")],
)
def test_bad_corpus_list_is_refused(tmp_path, content, message):
    """A corpus is a list of different names."""
    with pytest.raises(DaitirError, match=message):
        read_corpus(write(tmp_path / "c.json", content))
