"""Files that the workflow itself makes or fetches: they may be absent before a run, and some are known."""

from pathlib import Path
from typing import NamedTuple

from daitir.fetch import BENCHMARKS, FOLDER


class Made(NamedTuple):
    """A file or folder that a rule makes, and how many dialogues or images are in it, where that is fixed."""

    rule: str
    holds: int | None = None


MINI, STAND_INS = Path("resources/mini"), Path("resources/stand-ins")
CANDIDATES = "Search_Space_val_50k.json"
MADE = {
    **{MINI / f"{name}.json": Made("rule make_mini", 200) for name in ("val", "val-llm", "val-repetitive")},
    **{MINI / name: Made("rule make_mini") for name in ("images", "train-images")},
    MINI / "train.json": Made("rule make_mini", 600),
    MINI / "train-all.json": Made("rule make_mini", 1_500),
    MINI / "corpus.json": Made("rule make_mini", 3_000),
    MINI / "train-corpus.json": Made("rule make_mini", 1_500),
    STAND_INS / "corpus.json": Made("rule make_stand_ins", 2_000),
    STAND_INS / "images": Made("rule make_stand_ins"),
    # The sums of these files are pinned, and so is what is in them.
    **{FOLDER / name: Made("rule fetch_benchmark", 2_064) for name in BENCHMARKS},
    FOLDER / CANDIDATES: Made("rule fetch_benchmark", 50_000),
}


def made(path: Path, results: Path) -> Made | None:
    """Return what makes a path; None if nobody does."""
    if Path(path).is_relative_to(results):
        return Made("a rule of its own")
    return MADE.get(Path(path))
