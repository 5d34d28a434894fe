"""How a dialogue's target is found among the names of a corpus: all that it may be, at best one."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError

Finder = Callable[[str], list[str]]
LAST_NUMBER = re.compile(r"[0-9]+\Z")


def exactly(names: Iterable[str]) -> Finder:
    """Targets are written as the corpus writes them."""
    known = set(names)
    return lambda target: [target] if target in known else []


def by_file_name(names: Iterable[str]) -> Finder:
    """Targets may lie in other folders than the corpus says; then their file names decide."""
    known, named = set(names), defaultdict(list)
    for name in known:
        named[PurePosixPath(name).name].append(name)
    return lambda target: [target] if target in known else sorted(named.get(PurePosixPath(target).name, []))


def by_number(names: Iterable[str]) -> Finder:
    """Targets are numbers; COCO has them at the end of the stem: ``COCO_val2014_000000378466.jpg``."""
    numbered = defaultdict(list)
    for name in names:
        number = LAST_NUMBER.search(PurePosixPath(name).stem)
        if number:
            numbered[number[0].lstrip("0")].append(name)
    return lambda target: numbered.get(target.lstrip("0"), [])


def resolve(dialogues: list[Dialogue], find: Finder, file: Path, corpus: Path) -> list[Dialogue]:
    """Return the dialogues with their targets as the corpus names them, each the only one that it may be."""
    found = [(dialogue, find(dialogue.target)) for dialogue in dialogues]
    outside = [dialogue for dialogue, names in found if not names]
    if outside:
        raise DaitirError(
            f"{file}: {len(outside)} of {len(dialogues)} targets are not in {corpus}, the first is"
            f" {outside[0].target!r} of dialogue {outside[0].dialogue_id!r}: add it or remove the dialogue"
        )
    several = [(dialogue, names) for dialogue, names in found if len(names) > 1]
    if several:
        dialogue, names = several[0]
        raise DaitirError(
            f"{file}: {len(several)} of {len(dialogues)} targets may be several images of {corpus}, the first"
            f" is {dialogue.target!r}, which may be {names[0]!r} or {names[1]!r}: remove one from the corpus"
        )
    return [replace(dialogue, target=names[0]) for dialogue, names in found]
