"""Readers of dialogue files: one format a file, one table of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from daitir.dialogues import Dialogue
from daitir.readers.chatir import read_chatir
from daitir.readers.jsonl import read_jsonl
from daitir.readers.targets import Finder, by_file_name, by_number, exactly
from daitir.readers.visdial import read_visdial


@dataclass(frozen=True)
class Reader:
    """A format of dialogue files: how one is read, and how a target named in it is found in the corpus.

    ``read`` leaves a target as the file writes it; ``finder`` takes the names of a corpus and returns what
    tells which of them a target may be.
    """

    read: Callable[[Path], list[Dialogue]]
    finder: Callable[[Iterable[str]], Finder]


READERS = {
    "chatir": Reader(read_chatir, exactly),
    "list": Reader(read_chatir, by_file_name),  # DMCL, ADaFuSE: ChatIR's shape, paths of another disk
    "visdial": Reader(read_visdial, by_number),
    "jsonl": Reader(read_jsonl, exactly),
}
