"""Who asks: a chat model that reads the caption and the turns so far, and writes one new question."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from daitir.chat.answers import clean
from daitir.chat.asking import Asker, Request
from daitir.chat.templates import MessageTemplate
from daitir.files import canonical_json
from daitir.simulation import QuestionerOptions

TEMPLATE = Path(__file__).parent / "question.jinja"
WORD = re.compile(r"\w+")


class Questioner:
    """Puts one new question to each dialogue; what is no question, or was asked before, is drawn again."""

    def __init__(self, options: QuestionerOptions, scratch: Path) -> None:
        self.template = MessageTemplate(options.question_template or TEMPLATE)
        self.asker = Asker(options, scratch)

    def ask(self, dialogues: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the next question of each dialogue, by its id; ``dialogues`` are turns by id, one round."""
        requests = {name: self._request(name, turns) for name, turns in dialogues.items()}
        round_ = len(next(iter(dialogues.values())))
        questions = self.asker.ask(requests.values(), f"questions of round {round_}", "questions")
        return {name: clean(questions[request.key]) for name, request in requests.items()}

    def _request(self, name: str, turns: Sequence[str]) -> Request:
        """Return the request for a question, kept under all that was said: a template may hide turns."""
        return Request(
            key=canonical_json(list(turns)),
            message=self.template.fill_with_turns(turns),
            name=f"dialogue {name!r} round {len(turns)}",
            fault=partial(fault_of_question, turns=turns),
        )


def fault_of_question(question: str, turns: Sequence[str]) -> str | None:
    """Return what makes a question useless after these turns, or None; letter case and signs do not count."""
    if not question.endswith("?"):
        return f"it does not end with a question mark: {question[:60]!r}"
    if question.count("?") > 1:
        return f"more than one question: {question[:60]!r}"
    if not WORD.search(question):
        return f"no words: {question[:60]!r}"
    if words_of(question) in [words_of(turn.partition("?")[0]) for turn in turns[1:]]:
        return f"asked before: {question[:60]!r}"
    return None


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return WORD.findall(text.lower())
