"""VisDial 1.0's official JSON: dialogues as places in lists of questions and answers."""

from pathlib import Path
from typing import Any

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.readers.sources import named, read_json, require_turns

LISTS = ("questions", "answers", "dialogs")


def read_visdial(path: Path) -> list[Dialogue]:
    """Read ``visdial_1.0_train.json`` or ``_val.json``; a turn is ``question? answer``, as ChatIR writes it.

    A dialogue is named by the number of its COCO image in twelve digits; its target is that number.
    """
    source = read_json(path, "file", _without_answer_options)
    data = source.get("data") if isinstance(source, dict) else None
    lists: list[Any] = [data.get(key) for key in LISTS] if isinstance(data, dict) else []
    if not lists or not all(isinstance(found, list) and found for found in lists):
        raise DaitirError(
            f"{path} has no `data` with the lists {', '.join(LISTS)}: is it VisDial 1.0's file?"
        )
    questions, answers, entries = lists
    asked = [_asked(question) for question in questions]
    rows = [_row(entry, asked, answers, f"{path} entry {place}") for place, entry in enumerate(entries)]
    stems = [f"{image:012d}" for image, _ in rows]
    return named(stems, [str(image) for image, _ in rows], [turns for _, turns in rows], path)


def _without_answer_options(value: dict[str, Any]) -> Any:
    """Return a question-answer pair as such: its hundred candidate answers would fill gigabytes."""
    return (value["question"], value.get("answer")) if "question" in value else value


def _asked(question: Any) -> Any:
    """Return a question with its mark; what is no question stays and is refused where it is used."""
    if not isinstance(question, str) or not question.strip():
        return None
    return question if question.rstrip().endswith("?") else f"{question.rstrip()}?"


def _row(entry: Any, asked: list[Any], answers: list[Any], where: str) -> tuple[int, tuple[str, ...]]:
    if not isinstance(entry, dict) or type(entry.get("image_id")) is not int or entry["image_id"] < 0:
        raise DaitirError(f"{where} has no `image_id`, the number of a COCO image: fetch the file again")
    where = f"{where} (image {entry['image_id']})"
    pairs = entry.get("dialog")
    if not isinstance(pairs, list):
        raise DaitirError(f"{where} has no `dialog`, a list of questions and answers: fetch the file again")
    turns = [
        _turn(pair, asked, answers, f"{where}, turn {place}") for place, pair in enumerate(pairs, start=1)
    ]
    return entry["image_id"], require_turns([entry.get("caption"), *turns], where)


def _turn(pair: Any, asked: list[Any], answers: list[Any], where: str) -> str:
    question, answer = pair if isinstance(pair, tuple) else (None, None)
    if question is not None and answer is None:
        raise DaitirError(f"{where} has no answer, as in VisDial's test split: take train or val")
    said = _at(asked, question), _at(answers, answer)
    if not all(isinstance(text, str) for text in said):
        raise DaitirError(f"{where} names no question and answer of the file's lists: fetch the file again")
    return " ".join(said)


def _at(texts: list[Any], place: Any) -> Any:
    return texts[place] if type(place) is int and 0 <= place < len(texts) else None
