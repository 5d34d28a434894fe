"""Dialogue files and corpora."""

import json
from typing import Any

from PIL import Image

from daitir.dialogues import Dialogue, write_dialogues
from tests.bad_input.calls import Call, Place, call, case, cases

NAMES = ["0.png", "1.png", "coco/2.png", "other/2.png"]
ENTRY = {"img": "0.png", "dialog": ["a red star", "is it large? no"]}
LINE = {"id": "d0", "target": "0.png", "turns": ["a red star"]}


def read(
    place: Place, content: Any, format_: str = "chatir", rounds: int = 1, names: Any = NAMES, **more: Any
) -> Call:
    """Import a dialogue file; content None is no file."""
    file, corpus = place.folder / "dialogues", place.folder / "corpus.json"
    for path, value in ((file, content), (corpus, names)):
        if value is not None:
            place.write(path.name, value)
    limit = {"limit": more.pop("limit")} if "limit" in more else {}
    options = {"code": "1", "format": format_, "rounds": rounds} | limit
    return call(options=options, file=file, corpus=corpus, output=place.folder / "d.parquet", **more)


def lines(*entries: Any) -> str:
    """Return JSON Lines."""
    return "\n".join(map(json.dumps, entries))


def visdial(**changed: Any) -> dict[str, Any]:
    """Return VisDial's file with one dialogue of one turn."""
    turn = {"question": 0, "answer": 0} | changed
    dialogue = {"image_id": 1, "caption": "a star", "dialog": [turn]}
    return {"data": {"questions": ["is it red"], "answers": ["yes"], "dialogs": [dialogue]}}


@cases(
    "import",
    {
        "a dialogue file that is not there": {"content": None},
        "a dialogue file that is cut short": {"content": '[{"img": "0.png", "dialog": ["a re'},
        "a dialogue file that is no list": {"content": {"img": "0.png"}},
        "a dialogue file that is no text": {"content": b"\x89PNG\r\n\x1a\n\xff"},
        "a dialogue without a target": {"content": [{"dialog": ["a star"]}]},
        "a dialogue without a caption": {"content": [{"img": "0.png", "dialog": [" ", "is it? no"]}]},
        "a turn without text": {"content": [{"img": "0.png", "dialog": ["a star", ""]}]},
        "a turn that is no text": {"content": [{"img": "0.png", "dialog": ["a star", 7]}]},
        "a text that is no Unicode": {"content": '[{"img": "0.png", "dialog": ["a \\ud83d star"]}]'},
        "fewer turns than rounds": {"content": [ENTRY], "rounds": 3},
        "fewer dialogues than asked for": {"content": [ENTRY], "limit": 5},
        "a target outside the corpus": {"content": [ENTRY, {**ENTRY, "img": "9.png"}]},
        "a target that may be two images": {
            "content": [{**ENTRY, "img": "/their/disk/2.png"}],
            "format_": "list",
        },
        "the same dialogue twice": {"content": [ENTRY, ENTRY]},
        "a line that is no JSON": {"content": f"{json.dumps(LINE)}\n{{id: d1}}", "format_": "jsonl"},
        "a line with an unknown key": {"content": lines({**LINE, "turn": []}), "format_": "jsonl"},
        "a line without a key": {"content": lines({"id": "d0", "target": "0.png"}), "format_": "jsonl"},
        "an id that cannot name a file": {"content": lines({**LINE, "id": "../d0"}), "format_": "jsonl"},
        "the same id twice": {"content": lines(LINE, {**LINE, "target": "1.png"}), "format_": "jsonl"},
        "a file that is not VisDial's": {"content": [ENTRY], "format_": "visdial"},
        "a question that VisDial's list has not": {"content": visdial(question=5), "format_": "visdial"},
        "a dialogue of VisDial's test split": {"content": visdial(answer=None), "format_": "visdial"},
        "a corpus list that is not there": {"content": [ENTRY], "names": None},
        "a corpus list that is none": {"content": [ENTRY], "names": {"0.png": 1}},
        "an empty name in a corpus list": {"content": [ENTRY], "names": ["0.png", ""]},
        "an image twice in a corpus list": {"content": [ENTRY], "names": ["0.png", "1.png", "0.png"]},
    },
)
def dialogues_and_corpus(place: Place, given: dict[str, Any]) -> Call:
    """A file of dialogues, and the list of the corpus that it searches."""
    return read(place, **given)


@case("import", "a dialogue file that is a folder")
def folder_of_dialogues(place: Place) -> Call:
    """A folder where a file should be."""
    (place.folder / "dialogues").mkdir()
    return read(place, None)


@cases(
    "import",
    {
        "a dialogue file of one's own under a published name": ("file", "ChatGPT_BLIP2.json", [ENTRY]),
        "a corpus list of one's own under a published name": ("corpus", "Search_Space_val_50k.json", NAMES),
    },
)
def own_file_under_a_published_name(place: Place, given: tuple[str, str, Any]) -> Call:
    """Where the fetched benchmarks lie."""
    key, name, content = given
    paths = {"file": place.write("d.json", [ENTRY]), "corpus": place.write("c.json", NAMES)}
    paths[key] = place.write(f"resources/chatir/{name}", content)
    options = {"code": "1", "format": "chatir", "rounds": 1}
    return call(options=options, output=place.folder / "d.parquet", **paths)


@cases(
    "import",
    {
        "round 0 shared with other captions": Dialogue("0", "0.png", ("a blue star",)),
        "round 0 shared with other dialogues": Dialogue("1", "1.png", ("a red star",)),
    },
)
def round_0_of_others(place: Place, other: Dialogue) -> Call:
    """A dialogue set whose round 0 is not this one's; alone, as from the command line."""
    write_dialogues(place.folder / "other.parquet", [other], {})
    return read(place, [ENTRY], round_0=place.folder / "other.parquet", alone=True)


@case("list corpus", "a folder of images that is not there")
def no_folder(place: Place) -> Call:
    """A folder that nobody made; alone, as from the command line."""
    return call(images=place.folder / "images", output=place.folder / "corpus.json", alone=True)


@case("list corpus", "a folder without images")
def folder_without_images(place: Place) -> Call:
    """Files of another kind."""
    place.write("images/notes.txt", "no image")
    return call(images=place.folder / "images", output=place.folder / "corpus.json")


@case("list corpus", "a link to another folder")
def folder_with_a_link(place: Place) -> Call:
    """Images that lie elsewhere."""
    (place.folder / "images").mkdir()
    Image.new("RGB", (4, 4)).save(place.folder / "images" / "0.png")
    (place.folder / "images" / "more").symlink_to(place.folder)
    return call(images=place.folder / "images", output=place.folder / "corpus.json")
