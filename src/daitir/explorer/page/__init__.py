"""The page itself: its HTML, styles and scripts, the same for every run."""

from pathlib import Path

SUFFIXES = {".html", ".css", ".js"}


def write_page(folder: Path) -> None:
    """Write the files of the page; what they show stands in files of data beside them."""
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.suffix in SUFFIXES:
            (folder / path.name).write_bytes(path.read_bytes())
