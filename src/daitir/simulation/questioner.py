"""Who asks: a chat model that reads the caption and the turns so far, and writes one new question."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from daitir.compute import quiet_libraries
from daitir.errors import DaitirError
from daitir.files import canonical_json
from daitir.options import read_template
from daitir.progress import Progress
from daitir.reformulators.answers import AnswerStore, clean, fault
from daitir.reformulators.chat import Answer, ChatModel, UnanswerableError
from daitir.simulation import OpenAIQuestioner, QuestionerOptions, TransformersQuestioner

TEMPLATE = Path(__file__).parent / "question.jinja"
WORD = re.compile(r"\w+")


class Questioner:
    """Asks each different dialogue once; a useless question is drawn again, then refused by name."""

    def __init__(self, options: QuestionerOptions, scratch: Path) -> None:
        self.options = options
        self.path = options.question_template or TEMPLATE
        self.template = load_template(self.path)
        self.model = load_chat(options)
        self.store = AnswerStore(scratch)

    def ask(self, dialogues: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the next question of each dialogue, by its id; ``dialogues`` are turns by id."""
        keys = {name: canonical_json(list(turns)) for name, turns in dialogues.items()}
        first: dict[str, str] = {}
        for name, key in keys.items():
            first.setdefault(key, name)
        waiting = {key: dialogues[name] for key, name in first.items() if key not in self.store}
        round_ = len(next(iter(dialogues.values())))
        found = len(first) - len(waiting)
        progress = Progress(f"round {round_}: questions", total=len(first), unit="questions", done=found)
        faults: dict[str, str] = {}
        for attempt in range(self.options.attempts if waiting else 0):
            faults = self._ask_once(waiting, attempt, first, progress)
            waiting = {key: waiting[key] for key in faults}
        progress.close()
        if faults:
            key, reason = next(iter(faults.items()))
            raise DaitirError(
                f"questioner {self.options.model} asked no usable question in {len(faults)} of {len(first)}"
                f" cases in {self.options.attempts} attempts; the first is dialogue {first[key]!r} round"
                f" {round_}, {reason}. Raise `attempts` (what is finished is kept), or choose another model"
                " or question_template"
            )
        return {name: clean(self.store[key]) for name, key in keys.items()}

    def _ask_once(
        self,
        waiting: Mapping[str, Sequence[str]],
        attempt: int,
        first: Mapping[str, str],
        progress: Progress,
    ) -> dict[str, str]:
        """Store the good questions by key; return what is wrong with the others, in the order asked."""
        asking: dict[str, list[str]] = {}  # a template may hide turns, so that keys share a message
        for key, turns in waiting.items():
            asking.setdefault(self.message(turns), []).append(key)
        faults: dict[str, str] = {}
        try:
            for answers in self.model.answer(list(asking), attempt):
                judged = {
                    key: (answer.text, self._fault(answer, waiting[key]))
                    for message, answer in answers.items()
                    for key in asking[message]
                }
                faults |= {key: reason for key, (_, reason) in judged.items() if reason}
                good = {key: text for key, (text, reason) in judged.items() if not reason}
                self.store.add(good)
                progress.advance(len(good))
        except UnanswerableError as error:
            key = asking[error.message][0]
            raise DaitirError(f"dialogue {first[key]!r} round {len(waiting[key])}: {error}") from None
        return {key: faults[key] for key in waiting if key in faults}

    def _fault(self, answer: Answer, turns: Sequence[str]) -> str | None:
        useless = fault(answer.text, answer.finished, self.options.max_new_tokens)
        return useless or fault_of_question(clean(answer.text), turns)

    def message(self, turns: Sequence[str]) -> str:
        """Return the request for the next question: the template filled with caption, elaborations, turns."""
        variables = {"caption": turns[0], "elaborations": list(turns[1:]), "turns": list(turns)}
        try:
            return self.template.render(variables).strip()
        except TemplateError as error:
            raise DaitirError(
                f"template {self.path} cannot be filled ({error}): its variables are caption, elaborations"
                " and turns"
            ) from None


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


def load_template(path: Path) -> Template:
    """Return a Jinja template that may do nothing but fill in its variables."""
    environment = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(read_template(path))
    except TemplateError as error:
        raise DaitirError(f"template {path} is not Jinja ({error}): mend it") from None


def load_chat(options: QuestionerOptions) -> ChatModel:
    """Return the chat model of a questioner."""
    if isinstance(options, OpenAIQuestioner):
        from daitir.reformulators.openai import OpenAIChat

        return OpenAIChat(options)
    assert isinstance(options, TransformersQuestioner)
    quiet_libraries("transformers")
    from daitir.reformulators.transformers import TransformersChat

    return TransformersChat(options)
