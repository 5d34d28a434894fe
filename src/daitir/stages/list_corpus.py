"""List the images of a folder as a corpus: a JSON list of their paths relative to it, sorted."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from daitir.corpora import write_corpus
from daitir.errors import DaitirError, exit_with_one_line

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def run(images: Path, output: Path) -> None:
    """Write the list of all images below ``images``; what is hidden (a leading dot) is no part of it."""
    if not images.is_dir():
        raise DaitirError(f"{images} is no folder: mend `images:` of the corpus")
    files = [path.relative_to(images).as_posix() for path in files_below(images)]
    names = sorted(name for name in files if Path(name).suffix.lower() in SUFFIXES)
    if not names:
        kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise DaitirError(f"{images} holds no image ({kinds}): mend `images:` of the corpus")
    for name in names:
        require_text(name, images)
    write_corpus(output, names)
    print(f"{images}: {len(names)} images, {len(files) - len(names)} other files")


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below ``folder``; a link to another folder is refused, since nobody may follow it."""
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if (Path(parent) / name).is_symlink():
                raise DaitirError(
                    f"{Path(parent) / name} is a link to a folder: put the images themselves there"
                )
        yield from (Path(parent) / name for name in files if not name.startswith("."))


def require_text(name: str, images: Path) -> None:
    """Refuse a file name whose bytes are no UTF-8 text: it could not be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DaitirError(f"{images} holds {os.fsencode(name)!r}, no valid text: rename the file") from None


def _refuse(error: OSError) -> None:
    raise DaitirError(f"{error.filename} cannot be read ({error.strerror}): mend its permissions")


def main() -> None:
    """Run the stage from the command line; it has no options."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--images", type=Path, required=True, help="folder of the images")
    parser.add_argument("--output", type=Path, required=True, help="corpus list, JSON")
    arguments = parser.parse_args()
    run(arguments.images, arguments.output)


if __name__ == "__main__":
    exit_with_one_line(main)
