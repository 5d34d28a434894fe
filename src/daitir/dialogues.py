"""Dialogue sets: one user looking for one target each, by a caption and question-answer turns."""

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


@dataclass(frozen=True)
class Dialogue:
    """A dialogue: its stable id, the key of its target in the corpus, its turns (turn 0 is the caption).

    ``place`` counts from 0 in the file that the dialogue was read from: published images are named by it.
    """

    dialogue_id: str
    target: str
    turns: tuple[str, ...]
    place: int | None = None


def some_of(dialogues: list[Dialogue], limit: int | None, file: Path) -> list[Dialogue]:
    """Return all dialogues, or ``limit`` of them, drawn by name: a larger limit keeps the smaller."""
    if limit is None:
        return dialogues
    if limit > len(dialogues):
        raise DaitirError(f"{file} has {len(dialogues)} dialogues, fewer than `limit: {limit}`: lower it")
    drawn = sorted(dialogues, key=lambda dialogue: digest_text("limit", dialogue.dialogue_id))[:limit]
    return sorted(drawn, key=lambda dialogue: dialogue.dialogue_id)


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
