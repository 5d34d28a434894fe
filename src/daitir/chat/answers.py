"""Answers of a chat model: which are accepted, how they are cleaned, and where finished ones are kept."""

import json
import re
from pathlib import Path

from daitir.errors import DaitirError
from daitir.files import digest_text, write_text

MARKUP = re.compile(
    r"<\|[^<>]*\|>"
    r"|</?(?:s|bos|eos|pad|unk|think|user|assistant|system|start_of_turn|end_of_turn)>"
    r"|\[/?(?:INST|SYS)\]"
)
QUOTES = (('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019"), ("`", "`"))


def clean(text: str) -> str:
    """Return an answer without the blanks and the one pair of quotation marks around it."""
    text = text.strip()
    for opening, closing in QUOTES:
        inside = text[1:-1]
        if text.startswith(opening) and text.endswith(closing) and len(text) > 1 and opening not in inside:
            return inside.strip()
    return text


def fault(text: str, finished: bool, max_new_tokens: int) -> str | None:
    """Return what makes an answer useless, or None for a good one."""
    if not finished:
        return f"cut off after max_new_tokens ({max_new_tokens}; raise it if this looks sound): {text[:60]!r}"
    if MARKUP.search(text):
        return f"chat markup in it: {text[:60]!r}"
    if not clean(text):
        return "empty"
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return f"half a character in it: {text[:60]!a}"
    if len(clean(text).splitlines()) > 1:
        return f"more than one line: {text[:60]!r}"
    return None


class AnswerStore:
    """Good answers by key, kept in a folder: one finished file for each group that came together."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._found: dict[str, str] = {}
        for file in sorted(folder.glob("answers-*.json")) if folder else []:
            self._found.update(_read(file))

    def __contains__(self, key: str) -> bool:
        return digest_text(key) in self._found

    def __getitem__(self, key: str) -> str:
        return self._found[digest_text(key)]

    def add(self, answers: dict[str, str]) -> None:
        """Keep answers, by key."""
        if not answers:
            return
        named = {digest_text(key): text for key, text in answers.items()}
        self._found.update(named)
        if self.folder is not None:
            text = json.dumps(named)
            write_text(self.folder / f"answers-{digest_text(text)}.json", text)


def _read(file: Path) -> dict[str, str]:
    """Return the answers in a file, whose name holds the digest of its text."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        text = ""
    if file.stem != f"answers-{digest_text(text)}":
        raise DaitirError(f"{file} is damaged: remove it and run again; its answers are asked for anew")
    found: dict[str, str] = json.loads(text)
    return found
