"""The published dialogue files are imported with nothing lost."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from daitir.corpora import read_corpus
from daitir.dialogues import read_dialogues
from daitir.fetch import FILES
from daitir.mini.stand_ins import make
from daitir.stages.import_dialogues import ImportOptions, run

FOLDER = Path(os.environ.get("DAITIR_BENCHMARKS", "no-benchmarks"))
CORPUS = FOLDER / "Search_Space_val_50k.json"
VISDIAL, CHATGPT = "VisDial_v1.0_queries_val.json", "ChatGPT_BLIP2.json"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="set DAITIR_BENCHMARKS to the folder of the published dialogue files"
)


def imported(file, output, corpus=CORPUS, format_="chatir", limit=None, round_0=()):
    options = ImportOptions(code="x", format=format_, rounds=11, limit=limit)
    run(options, file, corpus, output, {}, round_0)
    return read_dialogues(output)


@pytest.mark.parametrize("name", [name for name in FILES if (FOLDER / name).is_file()])
def test_file_is_the_one_that_is_fetched(name):
    """The sums of the table are those of the published files."""
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == FILES[name][1]


@pytest.mark.parametrize("name", [VISDIAL, CHATGPT])
@pytest.mark.parametrize("format_", ["chatir", "list"])
def test_every_turn_is_imported(tmp_path, name, format_):
    """2,064 dialogues of 11 turns, letter by letter those of the file and in its order, all in the corpus."""
    dialogues = imported(FOLDER / name, tmp_path / "d.parquet", format_=format_)
    entries = json.loads((FOLDER / name).read_text())
    assert [{"img": d.target, "dialog": list(d.turns)} for d in dialogues] == entries
    assert [dialogue.place for dialogue in dialogues] == list(range(2064))
    assert sum(len(dialogue.turns) for dialogue in dialogues) == 2064 * 11
    assert {dialogue.target for dialogue in dialogues} <= set(read_corpus(CORPUS))
    assert len({dialogue.dialogue_id for dialogue in dialogues}) == 2064


def test_list_form_with_paths_of_another_disk_is_the_same(tmp_path):
    """Targets are found by their file names."""
    entries = json.loads((FOLDER / VISDIAL).read_text())
    for entry in entries:
        entry["img"] = f"/data/coco/{Path(entry['img']).name}"
    (tmp_path / "moved.json").write_text(json.dumps(entries))
    moved = imported(tmp_path / "moved.json", tmp_path / "moved.parquet", format_="list")
    assert moved == imported(FOLDER / VISDIAL, tmp_path / "d.parquet")


def test_official_visdial_form_is_the_same(tmp_path):
    """Ids, targets and turns of VisDial's own form are those of ChatIR's, so that the two share round 0."""
    ours = imported(FOLDER / VISDIAL, tmp_path / "ours.parquet")
    questions, answers, dialogs = [], [], []
    for dialogue in ours:
        pairs = [turn.split("? ", 1) for turn in dialogue.turns[1:]]
        said = [{"question": len(questions) + at, "answer": len(answers) + at} for at in range(len(pairs))]
        questions += [question for question, _ in pairs]
        answers += [answer for _, answer in pairs]
        image = int(Path(dialogue.target).stem)
        dialogs.append({"image_id": image, "caption": dialogue.turns[0], "dialog": said})
    data = {"questions": questions, "answers": answers, "dialogs": dialogs}
    (tmp_path / "official.json").write_text(json.dumps({"data": data, "split": "val", "version": "1.0"}))
    assert imported(tmp_path / "official.json", tmp_path / "d.parquet", format_="visdial") == ours


def test_round_0_is_the_same_in_every_benchmark(tmp_path):
    """The same ids, targets and captions open both files."""
    first = imported(FOLDER / VISDIAL, tmp_path / "first.parquet")
    second = imported(FOLDER / CHATGPT, tmp_path / "second.parquet", round_0=[tmp_path / "first.parquet"])
    assert [(d.dialogue_id, d.target, d.turns[0]) for d in first] == [
        (d.dialogue_id, d.target, d.turns[0]) for d in second
    ]


def test_stand_ins_serve_every_benchmark(tmp_path):
    """64 dialogues of either file find their targets among 200 stand-ins made for one of them."""
    make(CORPUS, FOLDER / VISDIAL, 64, 200, tmp_path)
    names = read_corpus(tmp_path / "corpus.json")
    assert len(names) == 200
    for name in (VISDIAL, CHATGPT):
        taken = imported(FOLDER / name, tmp_path / "d.parquet", tmp_path / "corpus.json", limit=64)
        assert {dialogue.target for dialogue in taken} < set(names)
    assert all((tmp_path / "images" / name).is_file() for name in names)
