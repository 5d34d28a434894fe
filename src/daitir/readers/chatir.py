"""ChatIR's JSON, and that of DMCL and ADaFuSE: a list of targets with their turns."""

from pathlib import Path, PurePosixPath
from typing import Any

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.readers.sources import NOT_IN_A_KEY, named, read_json, require_turns, require_writable


def read_chatir(path: Path) -> list[Dialogue]:
    """Read ``[{"img": target, "dialog": [caption, "question? answer", ...]}, ...]``.

    The file has no ids: a dialogue is named by the stem of its target.
    """
    entries = read_json(path, "file")
    if not isinstance(entries, list) or not entries:
        raise DaitirError(f"{path} is not a list of dialogues: is `format:` right?")
    targets, turns = zip(
        *(_row(entry, f"{path} entry {place}") for place, entry in enumerate(entries)), strict=True
    )
    stems = [NOT_IN_A_KEY.sub("-", PurePosixPath(target).stem) for target in targets]
    return named(stems, list(targets), list(turns), path)


def _row(entry: Any, where: str) -> tuple[str, tuple[str, ...]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("img"), str) or not entry["img"].strip():
        raise DaitirError(f"{where} has no `img`: an entry is {{img: ..., dialog: [...]}}")
    require_writable(entry["img"], where)
    if "dialog" not in entry:
        raise DaitirError(
            f"{where} ({entry['img']}) has no `dialog`: an entry is {{img: ..., dialog: [...]}}"
        )
    return entry["img"], require_turns(entry["dialog"], f"{where} ({entry['img']})")
