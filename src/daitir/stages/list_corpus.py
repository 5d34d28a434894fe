"""List the images of a folder as a corpus: a JSON list of their paths relative to it, sorted."""

import argparse
from pathlib import Path

from daitir.corpora import images_below, write_corpus
from daitir.errors import exit_with_one_line


def run(images: Path, output: Path) -> None:
    """Write the list of all images below ``images``; what is hidden (a leading dot) is no part of it."""
    names, others = images_below(images)
    write_corpus(output, names)
    print(f"{images}: {len(names)} images, {others} other files")


def main() -> None:
    """Run the stage from the command line; it has no options."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--images", type=Path, required=True, help="folder of the images")
    parser.add_argument("--output", type=Path, required=True, help="corpus list, JSON")
    arguments = parser.parse_args()
    run(arguments.images, arguments.output)


if __name__ == "__main__":
    exit_with_one_line(main)
