"""Dialogue files of every format are read whole or refused by entry or line."""

import json

import pytest

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.readers import READERS
from daitir.readers.targets import by_file_name, by_number, exactly, resolve


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def entry(target="a.png", *turns):
    return {"img": target, "dialog": list(turns or ("a red star", "is it large? yes"))}


def visdial(*dialogs, questions=("is it red", "is it large?"), answers=("yes", "no")):
    data = {"questions": list(questions), "answers": list(answers), "dialogs": list(dialogs)}
    return {"version": "1.0", "split": "train", "data": data}


def talk(image=12, caption="a star", pairs=((0, 1), (1, 0))):
    answer_options = {"answer_options": [0, 1], "gt_index": 0}
    said = [{"question": question, "answer": answer} | answer_options for question, answer in pairs]
    return {"image_id": image, "caption": caption, "dialog": said}


def line(id_="mine", target="a.png", turns=("a star", "is it red? no"), **more):
    return json.dumps({"id": id_, "target": target, "turns": turns} | more) + "\n"


def test_chatir_dialogue_is_named_by_its_target(tmp_path):
    """The id is the stem of the image, fit for a key; the place is the one in the file."""
    file = write(tmp_path / "d.json", [entry("b.png"), entry("unlabeled2017/0001.x.jpg", "caption", "q? a")])
    assert READERS["chatir"].read(file)[1] == Dialogue(
        "0001-x", "unlabeled2017/0001.x.jpg", ("caption", "q? a"), 1
    )


def test_two_dialogues_about_one_target_have_two_ids(tmp_path):
    """Where targets repeat, the turns are part of the name, and the order in the file is not."""
    entries = [entry("a.png", "one"), entry("a.png", "two"), entry("b.png", "three")]
    ids = [dialogue.dialogue_id for dialogue in READERS["chatir"].read(write(tmp_path / "d.json", entries))]
    turned = READERS["chatir"].read(write(tmp_path / "e.json", entries[::-1]))
    assert len(set(ids)) == 3
    assert ids[2] == "b"
    assert [dialogue.dialogue_id for dialogue in turned] == ids[::-1]


def test_visdial_turns_are_written_as_chatir_writes_them(tmp_path):
    """Question mark once, then the answer, which may be empty; the image's number is the name."""
    file = write(
        tmp_path / "d.json", visdial(talk(378466, pairs=((0, 1), (1, 2))), answers=["yes", "no", ""])
    )
    turns = ("a star", "is it red? no", "is it large? ")
    assert READERS["visdial"].read(file) == [Dialogue("000000378466", "378466", turns, 0)]


def test_jsonl_dialogues_keep_their_ids(tmp_path):
    """Any number of turns; blank lines, a byte order mark, Windows' and other line ends do no harm."""
    content = (
        "\ufeff"
        + line("one", turns=["caption"]).replace("\n", "\r\n")
        + "\n"
        + line("two", turns=["a\u2028b", "c"])
    )
    rows = [Dialogue("one", "a.png", ("caption",), 0), Dialogue("two", "a.png", ("a\u2028b", "c"), 1)]
    assert READERS["jsonl"].read(write(tmp_path / "d.jsonl", content)) == rows
    raw = content.replace("\\u2028", "\u2028")
    assert READERS["jsonl"].read(write(tmp_path / "d.jsonl", raw)) == rows


BAD_LIST = [
    ("{", "is not JSON"),
    ({"img": "a.png"}, "is not a list of dialogues"),
    ([], "is not a list of dialogues"),
    (["a"], "entry 0 has no `img`"),
    ([entry(), {"dialog": ["a"]}], "entry 1 has no `img`"),
    ([{"img": 3, "dialog": ["a"]}], "entry 0 has no `img`"),
    ([{"img": "a.png"}], r"entry 0 \(a.png\) has no `dialog`"),
    ([{"img": "a.png", "dialog": []}], r"entry 0 \(a.png\): its turns are no list of texts"),
    ([{"img": "a.png", "dialog": "a star"}], "its turns are no list of texts"),
    ([entry("a.png", "a star", None)], "its turns are no list of texts"),
    ([entry("a.png", " ", "q? a")], r"entry 0 \(a.png\) has no caption"),
    ([entry("a.png", "a star", "q? a", "\t")], r"entry 0 \(a.png\) has a blank turn 2"),
    ([entry("a.png", "a \ud800 star")], "half a character"),
    ([entry("a.png"), entry("b.png"), entry("a.png")], r"\(entry 0 and entry 2\)"),
]
BAD_VISDIAL = [
    ([talk()], "has no `data`"),
    ({"data": {"questions": ["a"], "answers": ["b"], "dialogs": []}}, "has no `data`"),
    (visdial(talk("12")), "entry 0 has no `image_id`"),
    (visdial(talk(), talk(True)), "entry 1 has no `image_id`"),
    (visdial(talk(caption="")), r"entry 0 \(image 12\) has no caption"),
    (visdial(talk(caption=None)), "no list of texts"),
    (visdial({"image_id": 12, "caption": "a star"}), r"\(image 12\) has no `dialog`"),
    (visdial(talk(pairs=((0, 1), (2, 0)))), r"\(image 12\), turn 2 names no question"),
    (visdial(talk(pairs=((-1, 1),))), "turn 1 names no question"),
    (visdial(talk(pairs=((0, 1.0),))), "turn 1 names no question"),
    (visdial(talk(), questions=["is it red", " "]), "turn 2 names no question"),
    (visdial(talk(), answers=["yes", 4]), "turn 1 names no question"),
    (visdial(talk(pairs=((0, 1), (0, None)))), r"turn 2 has no answer, .* test split"),
    (visdial({"image_id": 12, "caption": "a star", "dialog": [{"question": 0}]}), "turn 1 has no answer"),
    (visdial({"image_id": 12, "caption": "a star", "dialog": [4]}), "turn 1 names no question"),
    (visdial(talk(1), talk(2), talk(1)), r"\(entry 0 and entry 2\)"),
]
BAD_JSONL = [
    ("\n", "holds no dialogues"),
    ([entry()], r"line 1 is no object"),
    (line() + "{", "line 2 is not JSON"),
    ('{"id": "a", "turns": ["b"]}', "line 1 has no `target`"),
    (line() + line("b", rounds=3), "line 2 has an unknown key 'rounds'"),
    (line("a/b"), r"line 1: `id` 'a/b' cannot name a file"),
    (line("a.b"), "cannot name a file"),
    (line("-a"), "cannot name a file"),
    (line(""), "cannot name a file"),
    (line("a" * 101), "cannot name a file"),
    (line("a\n"), "cannot name a file"),
    (line("é"), "cannot name a file"),
    (line(7), "line 1: `id` 7 cannot name a file"),
    (line(target=["a.png"]), r"line 1 \(mine\): `target` is no image name"),
    (line(turns=[]), r"line 1 \(mine\): its turns are no list"),
    (line(turns=["a", ""]), r"line 1 \(mine\) has a blank turn 1"),
    (line() + "\n" + line("b") + line(), r"'mine' \(line 1 and line 4\)"),
]


@pytest.mark.parametrize(
    ("format_", "content", "message"),
    [("chatir", *case) for case in BAD_LIST]
    + [("visdial", *case) for case in BAD_VISDIAL]
    + [("jsonl", *case) for case in BAD_JSONL],
)
def test_bad_dialogue_file_is_refused_by_place(tmp_path, format_, content, message):
    """The error is one line that says what is wrong, in which file and where in it."""
    file = write(tmp_path / "d.json", content)
    with pytest.raises(DaitirError, match=message) as caught:
        READERS[format_].read(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


COCO = ["train2014/COCO_train2014_000000000012.jpg", "val2017/000000000120.jpg", "b/5.x.jpg", "cover.jpg"]


@pytest.mark.parametrize(
    ("finder", "target", "found"),
    [
        (exactly, "cover.jpg", ["cover.jpg"]),
        (exactly, "5.x.jpg", []),
        (by_file_name, "b/5.x.jpg", ["b/5.x.jpg"]),
        (by_file_name, "/data/coco/5.x.jpg", ["b/5.x.jpg"]),
        (by_file_name, "5.jpg", []),
        (by_number, "12", [COCO[0]]),
        (by_number, "120", [COCO[1]]),
        (by_number, "20", []),
        (by_number, "5", []),
    ],
)
def test_target_is_found_in_the_corpus(finder, target, found):
    """As it is written, by its file name, or by the number at the end of its stem."""
    assert finder(COCO)(target) == found


def test_the_path_as_it_is_comes_before_the_file_name():
    """A corpus may hold one file name in several folders, as long as targets name theirs in full."""
    find = by_file_name(["a/1.jpg", "b/1.jpg"])
    assert find("b/1.jpg") == ["b/1.jpg"]
    assert find("c/1.jpg") == ["a/1.jpg", "b/1.jpg"]


def test_target_that_may_be_several_images_is_refused(tmp_path):
    """Both are named, and so are the files; a target that is found is written as the corpus writes it."""
    dialogues = [Dialogue("one", "1", ("a",)), Dialogue("two", "2", ("b",))]
    corpus = ["x/1.jpg", "x/2.jpg"]
    found = resolve(dialogues, by_number(corpus), tmp_path / "d", tmp_path / "c")
    assert [dialogue.target for dialogue in found] == corpus
    with pytest.raises(
        DaitirError, match=r"d: 1 of 2 targets .* of .*c, the first is '2', .*'x/2.jpg' or 'y/02.jpg'"
    ):
        resolve(dialogues, by_number([*corpus, "y/02.jpg"]), tmp_path / "d", tmp_path / "c")
