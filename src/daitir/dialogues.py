"""Dialogue sets: one user looking for one target each, by a caption and question-answer turns."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from daitir.errors import DaitirError
from daitir.files import digest_text
from daitir.tables import read_table, write_table

SCHEMA = pa.schema(
    [
        ("dialogue_id", pa.string()),
        ("target", pa.string()),
        ("turns", pa.list_(pa.string())),
        ("place", pa.int32()),
    ]
)
NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Dialogue:
    """A dialogue: its stable id, the key of its target in the corpus, its turns (turn 0 is the caption).

    ``place`` counts from 0 in the file that the dialogue was read from: published images are named by it.
    """

    dialogue_id: str
    target: str
    turns: tuple[str, ...]
    place: int | None = None


def read_chatir(path: Path) -> list[Dialogue]:
    """Read ChatIR's JSON: a list of ``{"img": target, "dialog": [caption, "question? answer", ...]}``.

    The file has no ids: a dialogue is named by the stem of its target, with a digest of its turns behind it
    where several dialogues look for one target.
    """
    entries = _read_json_list(path)
    rows = [_chatir_row(entry, f"{path} entry {place}") for place, entry in enumerate(entries)]
    stems = [NOT_IN_A_KEY.sub("-", Path(target).stem) for target, _ in rows]
    shared = {stem for stem, count in Counter(stems).items() if count > 1}
    dialogues = [
        Dialogue(f"{stem}-{digest_text(*turns)}" if stem in shared else stem, target, turns, place)
        for place, (stem, (target, turns)) in enumerate(zip(stems, rows, strict=True))
    ]
    require_unique([dialogue.dialogue_id for dialogue in dialogues], path)
    return dialogues


def _read_json_list(path: Path) -> list[Any]:
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: mend `file:` of the dialogue set") from None
    except ValueError as error:
        raise DaitirError(f"{path} is not JSON ({error}): fetch it again") from None
    if not isinstance(entries, list) or not entries:
        raise DaitirError(f"{path} is not a list of dialogues: is it in ChatIR's format?")
    return entries


def _chatir_row(entry: Any, where: str) -> tuple[str, tuple[str, ...]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("img"), str):
        raise DaitirError(f"{where} has no `img`: a ChatIR entry is {{img: ..., dialog: [...]}}")
    turns = entry.get("dialog")
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
        raise DaitirError(f"{where} ({entry['img']}) has no `dialog`, a list of texts")
    if not turns[0].strip():
        raise DaitirError(f"{where} ({entry['img']}) has no caption: its first turn is empty")
    return entry["img"], tuple(turns)


READERS = {"chatir": read_chatir}


def require_unique(ids: list[str], path: Path) -> None:
    """Refuse a dialogue id that occurs twice."""
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DaitirError(f"{path} holds {len(twice)} dialogues twice, the first is {twice[0]!r}: remove one")


def write_dialogues(path: Path, dialogues: list[Dialogue], record: dict[str, Any]) -> None:
    """Write a dialogue set as Parquet."""
    rows = [
        {"dialogue_id": d.dialogue_id, "target": d.target, "turns": list(d.turns), "place": d.place}
        for d in dialogues
    ]
    write_table(path, pa.Table.from_pylist(rows, SCHEMA), record)


def read_dialogues(path: Path) -> list[Dialogue]:
    """Read a dialogue set."""
    rows = read_table(path, SCHEMA).to_pylist()
    return [Dialogue(row["dialogue_id"], row["target"], tuple(row["turns"]), row["place"]) for row in rows]
