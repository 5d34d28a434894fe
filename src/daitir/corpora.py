"""Corpora: the images searched. A corpus is a JSON list of image names and the folder that holds them."""

import json
from pathlib import Path

from daitir.errors import DaitirError
from daitir.files import write_text
from daitir.readers.sources import read_json, require_unique, require_writable


def read_corpus(path: Path) -> list[str]:
    """Return the candidate keys of a corpus: image paths relative to its folder, each once."""
    names = read_json(path, "list")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DaitirError(f"{path} is not a JSON list of image names: is it a corpus list?")
    for place, name in enumerate(names):
        if not name.strip() or "\0" in name:
            raise DaitirError(f"{path} entry {place} is {name!r}, which names no file: remove it")
        require_writable(name, f"{path} entry {place}")
    require_unique(names, path)
    return names


def write_corpus(path: Path, names: list[str]) -> None:
    """Write a corpus list, one name a line."""
    write_text(path, json.dumps(names, ensure_ascii=False, indent=0) + "\n")
