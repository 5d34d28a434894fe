"""Dialogue files, corpus lists and published queries, bent and damaged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daitir.corpora import read_corpus
from daitir.dialogues import Dialogue
from daitir.queries import picture_key
from daitir.readers import READERS
from daitir.reformulators import ReleasedOptions
from daitir.reformulators.released import ReleasedReformulator
from daitir.roots import inside

from .malformed import EDITS, as_json, bent, damage, ends_well

CHATIR = [
    {"img": f"val2014/{n}.jpg", "dialog": [f"a star {n}", "is it red? yes", "any tree? no"]} for n in range(3)
]
VISDIAL = {
    "version": "1.0",
    "split": "val",
    "data": {
        "questions": ["is it red", "any tree"],
        "answers": ["yes", "no"],
        "dialogs": [
            {
                "image_id": 7 + n,
                "caption": f"a star {n}",
                "dialog": [
                    {"question": 0, "answer": 0, "answer_options": [0, 1], "gt_index": 0},
                    {"question": 1, "answer": 1},
                ],
            }
            for n in range(3)
        ],
    },
}
JSONL = [{"id": f"d{n}", "target": f"{n}.png", "turns": [f"a star {n}", "is it red? yes"]} for n in range(3)]
GOOD = {"chatir": CHATIR, "list": CHATIR, "visdial": VISDIAL, "jsonl": JSONL}


def malformed(value):
    return bent(value).map(as_json) | EDITS.map(lambda edits: damage(as_json(value), edits))


def written(format_, value):
    if format_ != "jsonl":
        return as_json(value)
    rows = value if isinstance(value, list) else [value]
    return b"\n".join(map(as_json, rows))


def require_dialogues(found):
    """What is read is what a stage can work on: names for files, texts that can be written."""
    assert found
    assert all(isinstance(dialogue, Dialogue) for dialogue in found)
    assert len({dialogue.dialogue_id for dialogue in found}) == len(found)
    for dialogue in found:
        key = picture_key(dialogue.dialogue_id, 0, 1)
        assert key.isascii()
        assert not set(key) & set("/.\\\0 \n"), key
        assert dialogue.turns
        assert all(isinstance(turn, str) and turn.strip() for turn in dialogue.turns)
        "".join([dialogue.dialogue_id, dialogue.target, *dialogue.turns]).encode()
        assert "\0" not in dialogue.target


@pytest.mark.parametrize("format_", READERS)
@given(data=st.data())
def test_a_bent_dialogue_file_is_refused_or_read(folder, format_, data):
    """Keys and values of every type at every place."""
    file = folder / f"bent.{format_}"
    file.write_bytes(written(format_, data.draw(bent(GOOD[format_]))))
    found = ends_well(READERS[format_].read, file)
    if found is not None:
        require_dialogues(found)


@pytest.mark.parametrize("format_", READERS)
@given(data=st.data())
def test_a_damaged_dialogue_file_is_refused_or_read(folder, format_, data):
    """Bytes flipped, lost and repeated."""
    file = folder / f"damaged.{format_}"
    file.write_bytes(damage(written(format_, GOOD[format_]), data.draw(EDITS)))
    found = ends_well(READERS[format_].read, file)
    if found is not None:
        require_dialogues(found)


@given(data=st.data())
def test_a_malformed_corpus_list_is_refused_or_read(folder, data):
    """No name of one that is read leaves the folder of the images."""
    names = [f"val2014/{n}.jpg" for n in range(4)]
    file = folder / "corpus.json"
    file.write_bytes(data.draw(malformed(names)))
    found = ends_well(read_corpus, file)
    for name in found or []:
        path = ends_well(inside, folder, name, str(file))
        assert path is None or path.resolve().is_relative_to(folder.resolve())


@given(data=st.data())
def test_malformed_published_queries_are_refused_or_given_out(folder, data):
    """Each query is a text of the file."""
    file = folder / "published.json"
    file.write_bytes(data.draw(malformed(CHATIR)))
    asked = [Dialogue(f"d{n}", row["img"], ("a star",)) for n, row in enumerate(CHATIR)]

    def read():
        released = ReleasedReformulator(ReleasedOptions(kind="released", prompts=1), file, asked)
        return list(released.reformulate([(dialogue, [0, 1]) for dialogue in asked]))

    found = ends_well(read)
    if found is not None:
        texts = {turn for row in json.loads(file.read_bytes()) for turn in row["dialog"]}
        assert {query.query_text for query in found} <= texts
