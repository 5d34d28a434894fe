"""The import takes what fits the corpus and the rounds, and stops at what does not."""

import json
import subprocess
import sys
from typing import get_args

import pytest

from daitir.dialogues import read_dialogues
from daitir.errors import DaitirError
from daitir.readers import READERS
from daitir.stages.import_dialogues import ImportOptions, run
from daitir.tables import table_provenance

CORPUS = ("a.png", "b.png")


def entry(target="a.png", *turns):
    return {"img": target, "dialog": list(turns or ("a red star", "is it large? yes"))}


def run_import(
    folder, entries, corpus=CORPUS, rounds=2, limit=None, format_="chatir", name="out", round_0=()
):
    (folder / "d.json").write_text(json.dumps(entries))
    (folder / "c.json").write_text(json.dumps(list(corpus)))
    options = ImportOptions(code="x", format=format_, rounds=rounds, limit=limit)
    output = folder / f"{name}.parquet"
    run(options, folder / "d.json", folder / "c.json", output, {}, round_0)
    return read_dialogues(output)


def test_every_format_has_a_reader():
    """The options know the formats of the table."""
    assert set(get_args(ImportOptions.model_fields["format"].annotation)) == set(READERS)


@pytest.mark.parametrize(
    ("format_", "entries"),
    [
        ("chatir", [entry()]),
        ("list", [entry("/data/a.png")]),
        ("jsonl", {"id": "a", "target": "a.png", "turns": ["a red star", "is it large? yes"]}),
    ],
)
def test_one_dialogue_is_the_same_in_every_format(tmp_path, format_, entries):
    """Id, target, turns and place do not tell how the file was written."""
    assert run_import(tmp_path, entries, format_=format_) == run_import(tmp_path, [entry()])


def test_visdial_target_is_the_image_of_that_number(tmp_path):
    """It is stored as the corpus names it."""
    talk = {"image_id": 12, "caption": "a star", "dialog": [{"question": 0, "answer": 0}]}
    source = {"data": {"questions": ["is it red"], "answers": ["no"], "dialogs": [talk]}}
    found = run_import(tmp_path, source, ["train2014/COCO_train2014_000000000012.jpg"], format_="visdial")
    assert found[0].target == "train2014/COCO_train2014_000000000012.jpg"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry("x.png"), entry()], "1 of 2 targets are not in .*c.json.*'x.png' of dialogue 'x'"),
        ([entry("a.png", "caption only")], "too short.*'a' with 1 turns for 2 rounds"),
    ],
)
def test_dialogue_that_does_not_fit_is_refused_by_name(tmp_path, entries, message):
    """The error says which, and nothing is written."""
    with pytest.raises(DaitirError, match=message):
        run_import(tmp_path, entries)
    assert not (tmp_path / "out.parquet").exists()


def test_longer_dialogues_are_kept_whole(tmp_path):
    """Rounds are asked for later; the turns behind them are not lost."""
    assert run_import(tmp_path, [entry("a.png", "one", "two", "three")])[0].turns == ("one", "two", "three")


def test_only_dialogues_that_are_taken_need_their_targets(tmp_path):
    """A small corpus is enough for a few dialogues of a large file."""
    entries = [entry(f"{number}.png") for number in range(9)]
    taken = run_import(tmp_path, entries, [f"{number}.png" for number in range(9)], limit=2)
    again = run_import(tmp_path, entries, [dialogue.target for dialogue in taken], limit=2)
    assert again == taken
    assert [dialogue.target for dialogue in taken] == [f"{dialogue.place}.png" for dialogue in taken]


def test_round_0_of_another_set_is_recorded(tmp_path):
    """Sets that open alike may share round 0; the other one is among the inputs."""
    run_import(tmp_path, [entry("a.png", "a star", "q? a"), entry("b.png", "a moon", "q? b")], name="first")
    shared = run_import(tmp_path, [entry("b.png", "a moon", "r? c")], round_0=[tmp_path / "first.parquet"])
    assert [dialogue.turns for dialogue in shared] == [("a moon", "r? c")]
    assert list(table_provenance(tmp_path / "out.parquet")["inputs"]) == ["round_0"]
    assert table_provenance(tmp_path / "first.parquet")["inputs"] == {}


@pytest.mark.parametrize(
    ("opening", "message"),
    [
        (entry("a.png", "a moon", "q? a"), "'a' .*another target or caption"),
        (entry("x/a.png", "a star", "q? a"), "'a' .*another target or caption"),
        (entry("b.png", "a star", "q? a"), "1 of 1 dialogues .*'b' .*it is not there"),
    ],
)
def test_set_that_opens_otherwise_shares_no_round_0(tmp_path, opening, message):
    """Target and caption must be those of the dialogue of the same id."""
    run_import(tmp_path, [entry("a.png", "a star", "q? a")], name="first")
    with pytest.raises(DaitirError, match=message):
        run_import(tmp_path, [opening], [*CORPUS, "x/a.png"], round_0=[tmp_path / "first.parquet"])
    assert not (tmp_path / "out.parquet").exists()


def test_import_from_the_command_line_with_and_without_round_0(tmp_path):
    """The workflow may name no set behind ``--round-0``."""
    run_import(tmp_path, [entry()], name="first")
    options = json.dumps({"code": "x", "format": "chatir", "rounds": 2})
    command = [sys.executable, "-m", "daitir.stages.import_dialogues", "--options", options]
    paths = ["--file", tmp_path / "d.json", "--corpus", tmp_path / "c.json"]
    for known in ([], [tmp_path / "first.parquet"]):
        output = ["--output", tmp_path / f"{len(known)}.parquet"]
        subprocess.run([*command, *paths, "--round-0", *known, *output], check=True)
    assert read_dialogues(tmp_path / "0.parquet") == read_dialogues(tmp_path / "1.parquet")
