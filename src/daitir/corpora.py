"""Corpora: the images searched. A corpus is a JSON list of image names and the folder that holds them."""

import json
from pathlib import Path

from daitir.dialogues import require_unique
from daitir.errors import DaitirError


def read_corpus(path: Path) -> list[str]:
    """Return the candidate keys of a corpus: image paths relative to its folder, each once."""
    try:
        names = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: mend `list:` of the corpus") from None
    except ValueError as error:
        raise DaitirError(f"{path} is not JSON ({error}): fetch it again") from None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DaitirError(f"{path} is not a JSON list of image names: is it a corpus list?")
    require_unique(names, path)
    return names
