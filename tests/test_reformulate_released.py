import json
import os
import sys
from pathlib import Path

import pytest

from daitir.dialogues import Dialogue, write_dialogues
from daitir.errors import DaitirError
from daitir.files import digest_bytes
from daitir.queries import read_queries
from daitir.readers.chatir import read_chatir
from daitir.reformulators import ReleasedOptions, load_reformulator
from daitir.stages import reformulate
from daitir.tables import table_provenance

BENCHMARKS = Path(os.environ.get("DAITIR_BENCHMARKS", "no-benchmarks"))
DIALOGUES = [
    Dialogue("a", "a.png", ("a star", "red? yes"), 0),
    Dialogue("b1", "b.png", ("a moon", "blue? yes"), 1),
    Dialogue("b2", "b.png", ("one moon", "blue? no"), 2),
]
ROWS = [
    {"img": "b.png", "dialog": ["one moon", "one moon, not blue"]},
    {"img": "b.png", "dialog": ["a moon", " a blue moon,\nlarge "]},
    {"img": "c.png", "dialog": ["a fish", "a green fish"]},
    {"img": "a.png", "dialog": ["the star", "a red star"]},
]


def published(tmp_path, rows, dialogues=DIALOGUES):
    """Return all queries that a file of published rows has for the dialogues."""
    (tmp_path / "p.json").write_text(json.dumps(rows))
    options = ReleasedOptions(kind="released", prompts=2)
    reformulator = load_reformulator(options, released=tmp_path / "p.json", dialogues=dialogues)
    return list(reformulator.reformulate([(d, list(range(len(d.turns)))) for d in dialogues]))


def test_published_queries_are_taken_as_they_are(tmp_path):
    """Found by target, and by caption too where a target occurs twice; no round is joined with another."""
    assert [(q.key, q.query_text, q.prompts) for q in published(tmp_path, ROWS)] == [
        ("a_r0", "the star", ("the star",) * 2),
        ("a_r1", "a red star", ("a red star",) * 2),
        ("b1_r0", "a moon", ("a moon",) * 2),
        ("b1_r1", " a blue moon,\nlarge ", (" a blue moon,\nlarge ",) * 2),
        ("b2_r0", "one moon", ("one moon",) * 2),
        ("b2_r1", "one moon, not blue", ("one moon, not blue",) * 2),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:3], r"has no row for dialogue 'a' \(target 'a.png'\)"),
        (ROWS[1:], r"no row for dialogue 'b2' \(target 'b.png' and caption 'one moon'\)"),
        ([*ROWS[:3], {"img": "a.png", "dialog": ["a star"]}], "dialogue 'a' has 1 texts, none for round 1"),
        ([*ROWS[:3], {"img": "a.png", "dialog": ["a star", " "]}], r"entry 3 \(a.png\) has a blank turn 1"),
        ([*ROWS, {"img": "b.png", "dialog": ["a moon", "?"]}], "the first is 'b.png' with 'a moon'"),
        ([{"dialog": ["a star"]}], "entry 0 has no `img`"),
    ],
)
def test_a_file_that_lacks_something_is_refused(tmp_path, rows, message):
    """By the name of the dialogue or the place in the file."""
    with pytest.raises(DaitirError, match=message):
        published(tmp_path, rows)


def test_dialogues_that_cannot_be_told_apart_are_refused(tmp_path):
    """The same target and caption twice."""
    twin = Dialogue("a2", "a.png", ("a star", "red? no"), 3)
    with pytest.raises(DaitirError, match="the dialogue set holds 1 targets with the same caption"):
        published(tmp_path, ROWS, [*DIALOGUES, twin])


def call(tmp_path, monkeypatch, *files, kind="released", shard="0-of-2"):
    """Run the stage on the dialogues; return its output."""
    write_dialogues(tmp_path / "d.parquet", DIALOGUES, {"stage": "test"})
    record = {"code": "r", "reformulator": {"kind": kind, "prompts": 1}, "rounds": {"rounds": 2}}
    output = tmp_path / f"{shard}.parquet"
    line = ["--options", json.dumps(record), "--dialogues", tmp_path / "d.parquet", "--shard", shard, *files]
    line += ["--scratch", tmp_path / "scratch", "--output", output]
    monkeypatch.setattr(sys, "argv", ["reformulate", *map(str, line)])
    reformulate.main()
    return output


def test_the_stage_notes_the_content_of_the_file(tmp_path, monkeypatch):
    """Not its path; a shard is matched as the whole set is."""
    (tmp_path / "p.json").write_text(json.dumps(ROWS))
    shards = [
        call(tmp_path, monkeypatch, "--released", tmp_path / "p.json", shard=f"{s}-of-2") for s in range(2)
    ]
    assert [q.query_text for q in read_queries(*shards)][::2] == ["the star", "a moon", "one moon"]
    who = table_provenance(shards[0])
    assert who["inputs"]["released"] == digest_bytes([(tmp_path / "p.json").read_bytes()])
    assert str(tmp_path) not in json.dumps(who)


@pytest.mark.parametrize(
    ("files", "kind", "message"),
    [
        ([], "released", "--released names 0 files of published queries: name one"),
        (
            ["--released", "no.json"],
            "released",
            "there is no file no.json of published queries: mend `files:`",
        ),
        (["--released", "no.json", "--known"], "join", "the kind 'join' reads no published queries"),
        (
            ["--released", __file__, "--known", "k.parquet"],
            "released",
            "stand in a file of their own set",
        ),
    ],
)
def test_files_that_do_not_fit_the_kind_are_refused(tmp_path, monkeypatch, files, kind, message):
    """Missing, idle, or of the other kind."""
    with pytest.raises(DaitirError, match=message):
        call(tmp_path, monkeypatch, *files, kind=kind)


@pytest.mark.skipif(
    not BENCHMARKS.is_dir(), reason="set DAITIR_BENCHMARKS to the folder of the published dialogue files"
)
def test_all_published_queries_of_dar_are_found():
    """2,064 dialogues of 11 rounds; round 0 is the caption."""
    dialogues = read_chatir(BENCHMARKS / "VisDial_v1.0_queries_val.json")
    file = BENCHMARKS / "VisDial_v1_0_queries_val.dar_reformulated.json"
    reformulator = load_reformulator(ReleasedOptions(kind="released"), released=file, dialogues=dialogues)
    queries = list(reformulator.reformulate([(d, list(range(11))) for d in dialogues]))
    assert len(queries) == 2064 * 11
    assert [q.query_text for q in queries[::11]] == [d.turns[0] for d in dialogues]
    published = json.loads(file.read_text())
    assert [q.query_text for q in queries] == [text for row in published for text in row["dialog"]]
