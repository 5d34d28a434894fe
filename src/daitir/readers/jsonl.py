"""daitir's own format, JSON Lines: one ``{"id": ..., "target": ..., "turns": [...]}`` a line."""

import json
import re
from pathlib import Path
from typing import Any

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.readers.sources import read_source, require_turns, require_unique, require_writable

KEYS = ("id", "target", "turns")
USABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")


def read_jsonl(path: Path) -> list[Dialogue]:
    """Read dialogues with their own ids, each of any number of turns; empty lines do not count."""
    # Not splitlines: JSON may hold other line ends (U+2028) inside its texts.
    lines = {
        f"line {number}": line
        for number, line in enumerate(read_source(path, "file").split("\n"), start=1)
        if line.strip()
    }
    if not lines:
        raise DaitirError(f"{path} holds no dialogues: is `format:` right?")
    rows = [_row(line, f"{path} {place}") for place, line in lines.items()]
    require_unique([name for name, _, _ in rows], path, list(lines))
    return [Dialogue(*row, place) for place, row in enumerate(rows)]


def _row(line: str, where: str) -> tuple[str, str, tuple[str, ...]]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DaitirError(f"{where} is not JSON ({error}): write one object a line") from None
    if not isinstance(entry, dict):
        raise DaitirError(f'{where} is no object: write {{"id": ..., "target": ..., "turns": [...]}}')
    for key in KEYS:
        if key not in entry:
            raise DaitirError(f"{where} has no `{key}`: write it")
    for key in entry:
        if key not in KEYS:
            raise DaitirError(f"{where} has an unknown key {key!r}: remove it or mend its spelling")
    name, target = _usable(entry["id"], where), entry["target"]
    if not isinstance(target, str) or not target.strip():
        raise DaitirError(f"{where} ({name}): `target` is no image name of the corpus: mend it")
    require_writable(target, f"{where} ({name})")
    return name, target, require_turns(entry["turns"], f"{where} ({name})")


def _usable(name: Any, where: str) -> str:
    """Return an id that can be part of the names of files and of members of a tar."""
    if not isinstance(name, str) or not USABLE.fullmatch(name):
        raise DaitirError(
            f"{where}: `id` {name!r} cannot name a file: write a text of at most 100 letters, digits, - and _"
        )
    return name
