"""Corpora: the images searched. A corpus is a JSON list of image names and the folder that holds them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from daitir.errors import DaitirError
from daitir.readers.sources import read_json, require_unique, require_writable
from daitir.roots import inside, require_name, require_no_twins
from daitir.seals import require_whole, write_sealed

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def read_corpus(path: Path) -> list[str]:
    """Return the candidate keys of a corpus: image paths relative to its folder, each once."""
    require_whole(path)
    names = read_json(path, "list")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DaitirError(f"{path} is not a JSON list of image names: is it a corpus list?")
    for place, name in enumerate(names):
        require_writable(name, f"{path} entry {place}")
        require_name(name, f"{path} entry {place}")
    require_unique(names, path)
    require_no_twins(names, str(path))
    return names


def write_corpus(path: Path, names: list[str]) -> None:
    """Write a corpus list, one name a line."""
    write_sealed(path, json.dumps(names, ensure_ascii=False, indent=0) + "\n")


def read_candidate(folder: Path, name: str, names: Path) -> bytes:
    """Return the file of an image in ``folder``; ``names`` is the list that has it."""
    path = inside(folder, name, str(names))
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise DaitirError(f"{path} does not exist, but {names} lists it: fetch it or mend the list") from None


def images_below(folder: Path) -> tuple[list[str], int]:
    """Return the images in a folder and below it, as sorted paths relative to it, and how many other files.

    What is hidden (a leading dot) counts as neither; a folder without images is refused.
    """
    if not folder.is_dir():
        raise DaitirError(f"{folder} is no folder: mend `images:` of the corpus")
    files = [path.relative_to(folder).as_posix() for path in _files_below(folder)]
    names = sorted(name for name in files if Path(name).suffix.lower() in IMAGES)
    if not names:
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGES))
        raise DaitirError(f"{folder} holds no image ({kinds}): mend `images:` of the corpus")
    for name in names:
        _require_text(name, folder)
        require_name(name, str(folder), folder)
    require_no_twins(names, str(folder))
    return names, len(files) - len(names)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below ``folder``; a link to another folder is refused, since nobody may follow it."""
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if (Path(parent) / name).is_symlink():
                raise DaitirError(
                    f"{Path(parent) / name} is a link to a folder: put the images themselves there"
                )
        yield from (Path(parent) / name for name in files if not name.startswith("."))


def _require_text(name: str, folder: Path) -> None:
    """Refuse a file name whose bytes are no UTF-8 text: it could not be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DaitirError(f"{folder} holds {os.fsencode(name)!r}, no valid text: rename the file") from None


def _refuse(error: OSError) -> None:
    raise DaitirError(f"{error.filename} cannot be read ({error.strerror}): mend its permissions")
