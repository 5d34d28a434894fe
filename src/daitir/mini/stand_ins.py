"""Stand in for images that are not at hand: a small corpus of mini's pictures under the names of a real one.

    python -m daitir.mini.stand_ins --names Search_Space_val_50k.json --dialogues ChatGPT_BLIP2.json \
        --limit 64 --candidates 2000 --output resources/stand-ins

writes ``corpus.json``, with the targets of the dialogues that ``limit: 64`` takes and other names of the
list, and ``images/``. The pictures show nothing of what the dialogues say: a run over them shows that
files, names and sizes fit, and its figures mean nothing.
"""

import argparse
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

from daitir.corpora import read_corpus, write_corpus
from daitir.dialogues import some_of
from daitir.errors import DaitirError, exit_with_one_line
from daitir.files import digest_text
from daitir.mini.world import draw_scene, render
from daitir.progress import progress
from daitir.readers import READERS
from daitir.readers.targets import resolve
from daitir.roots import inside

QUALITY = 90


def make(
    names: Path, dialogues: Path, limit: int | None, candidates: int, output: Path, format_: str = "chatir"
) -> None:
    """Write the corpus and its pictures; the same call gives the same bytes."""
    reader, listed = READERS[format_], read_corpus(names)
    taken = some_of(reader.read(dialogues), limit, dialogues)
    targets = {dialogue.target for dialogue in resolve(taken, reader.finder(listed), dialogues, names)}
    chosen = choose(listed, targets, candidates, names)
    write_pictures(output / "images", chosen, names)
    write_corpus(output / "corpus.json", chosen)


def choose(listed: list[str], targets: set[str], candidates: int, source: Path) -> list[str]:
    """Return ``candidates`` names in the order of the list, the targets and others drawn by name."""
    if not len(targets) <= candidates <= len(listed):
        raise DaitirError(
            f"--candidates {candidates} is not between the {len(targets)} targets and the {len(listed)} names"
            f" of {source}: give another number"
        )
    others = sorted(set(listed) - targets, key=lambda name: digest_text("stand-in", name))
    chosen = targets.union(others[: candidates - len(targets)])
    return [name for name in listed if name in chosen]


def write_pictures(folder: Path, names: Iterable[str], source: Path) -> None:
    """Write a JPEG under each name, drawn from the name; the folder appears when all of them are there."""
    names = list(names)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in progress(names, "pictures", len(names), "images"):
        path = inside(partial, name, str(source))
        path.parent.mkdir(parents=True, exist_ok=True)
        scene = draw_scene(random.Random(f"stand-in/{name}"), "val")
        render(scene).save(path, "JPEG", quality=QUALITY)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def main() -> None:
    """Make a stand-in corpus from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--names", type=Path, required=True, help="JSON list of the real corpus")
    parser.add_argument("--dialogues", type=Path, required=True, help="dialogue file")
    parser.add_argument("--format", choices=sorted(READERS), default="chatir", help="format of that file")
    parser.add_argument("--limit", type=int, help="dialogues taken, as in the config (default: all)")
    parser.add_argument("--candidates", type=int, default=2000, help="size of the corpus")
    parser.add_argument("--output", type=Path, required=True, help="folder of the corpus")
    given = parser.parse_args()
    make(given.names, given.dialogues, given.limit, given.candidates, given.output, given.format)


if __name__ == "__main__":
    exit_with_one_line(main)
