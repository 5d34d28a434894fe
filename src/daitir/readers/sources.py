"""What the readers share: files that others wrote are read whole or refused in one line, by entry or line."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.files import digest_text

NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9_-]+")


def read_source(path: Path, key: str) -> str:
    """Return the text of a file that ``key`` of the config names; a byte order mark does not count."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: mend `{key}:` in the config") from None
    except IsADirectoryError:
        raise DaitirError(f"{path} is a folder, not a file: mend `{key}:` in the config") from None
    except UnicodeDecodeError as error:
        raise DaitirError(f"{path} is not UTF-8 text ({error}): fetch or save it again") from None


def read_json(path: Path, key: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Return the value in a JSON file that ``key`` of the config names."""
    try:
        return json.loads(read_source(path, key), object_hook=object_hook)
    except (ValueError, RecursionError) as error:
        raise DaitirError(f"{path} is not JSON ({error}): fetch it again") from None


def require_turns(turns: Any, where: str) -> tuple[str, ...]:
    """Return a dialogue's turns: a list of texts, the caption first, none of them blank."""
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
        raise DaitirError(f"{where}: its turns are no list of texts, the caption first: mend them")
    for place, turn in enumerate(turns):
        if not turn.strip():
            what = "has no caption: its first turn is empty" if place == 0 else f"has a blank turn {place}"
            raise DaitirError(f"{where} {what}; write it or remove the dialogue")
    require_writable("".join(turns), where)
    return tuple(turns)


def require_writable(text: str, where: str) -> None:
    """Refuse a text that is no valid Unicode: half a character, as JSON's escapes can write it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        broken = ascii(text[error.start])
        raise DaitirError(f"{where} holds {broken}, which is half a character: mend the text") from None


def named(stems: list[str], targets: list[str], turns: list[tuple[str, ...]], path: Path) -> list[Dialogue]:
    """Return the dialogues of a file without ids, each named by the stem of its target.

    Where several dialogues look for one target, a digest of the turns stands behind it.
    """
    shared = {stem for stem, count in Counter(stems).items() if count > 1}
    ids = [
        f"{stem}-{digest_text(*said)}" if stem in shared else stem
        for stem, said in zip(stems, turns, strict=True)
    ]
    require_unique(ids, path)
    rows = zip(ids, targets, turns, strict=True)
    return [Dialogue(name, target, said, at) for at, (name, target, said) in enumerate(rows)]


def require_unique(names: list[str], path: Path, places: list[str] | None = None) -> None:
    """Refuse a name that occurs twice; ``places`` say where in the file each stands, else its entry does."""
    if len(set(names)) == len(names):
        return
    twice = [name for name, count in Counter(names).items() if count > 1]
    at = [place for place, name in enumerate(names) if name == twice[0]][:2]
    first, second = (places[place] if places else f"entry {place}" for place in at)
    raise DaitirError(
        f"{path} holds {len(twice)} names twice, the first is {twice[0]!r} ({first} and {second}): remove one"
    )
