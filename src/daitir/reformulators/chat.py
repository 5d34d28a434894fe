"""Reformulation by a chat model, after DAR: R1 writes the query text S_r, R2 the K prompts of S_r."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.progress import Progress
from daitir.queries import Query, query_key
from daitir.reformulators import ChatOptions, Work
from daitir.reformulators.answers import AnswerStore, clean, fault
from daitir.reformulators.templates import Templates

TEMPERATURE_OF_RETRIES = 0.7  # an answer that was refused is asked for again with at least this


@dataclass(frozen=True)
class Answer:
    """What the model wrote, and whether it came to an end before it was cut off."""

    text: str
    finished: bool


class ChatModel(Protocol):
    """Answers single messages."""

    def answer(self, messages: list[str], attempt: int) -> Iterator[dict[str, Answer]]:
        """Yield the answers by message, in groups as they come; ``attempt`` counts from 0.

        An answer depends on its message and the attempt alone, not on neighbours or order. A message that the
        model can never answer raises ``UnanswerableError``.
        """


class UnanswerableError(DaitirError):
    """A message that the model cannot take, and why."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(reason)
        self.message = message


def temperature_of(temperature: float, attempt: int) -> float:
    """Return the temperature of an attempt: that of the options, and from the second on a warm one."""
    return max(temperature, TEMPERATURE_OF_RETRIES if attempt else 0.0)


class ChatReformulator:
    """Asks each different message once; a useless answer is asked for again, then refused by name."""

    def __init__(self, options: ChatOptions, model: ChatModel, scratch: Path | None) -> None:
        self.options = options
        self.templates = Templates(options.query_template, options.prompt_template)
        self.model = model
        self.store = AnswerStore(scratch)

    def reformulate(self, work: Work) -> Iterator[Query]:
        """Yield the queries of the asked rounds of each dialogue."""
        messages = {
            (dialogue, round_): self.templates.query_message(dialogue, round_)
            for dialogue, rounds in work
            for round_ in rounds
        }
        self._ask(_named(messages.items()), "query texts", "queries")
        asked = {
            place: self._prompt_messages(clean(self.store[message])) for place, message in messages.items()
        }
        self._ask(
            _named((place, text) for place, texts in asked.items() for text in texts), "prompts", "prompts"
        )
        for (dialogue, round_), message in messages.items():
            raw = [self.store[message], *(self.store[text] for text in asked[dialogue, round_])]
            query_text, *prompts = map(clean, raw)
            yield Query(dialogue.dialogue_id, round_, query_text, tuple(prompts), tuple(raw))

    def _prompt_messages(self, query_text: str) -> list[str]:
        return [self.templates.prompt_message(query_text, k) for k in range(1, self.options.prompts + 1)]

    def _ask(self, names: dict[str, str], what: str, unit: str) -> None:
        """Bring the answers to messages into the store; ``names`` tells whose message it is."""
        waiting = [message for message in names if message not in self.store]
        progress = Progress(what, total=len(names), unit=unit, done=len(names) - len(waiting))
        faults: dict[str, str] = {}
        try:
            for attempt in range(self.options.attempts):
                faults = self._ask_once(waiting, attempt, progress)
                waiting = list(faults)
        except UnanswerableError as error:
            raise DaitirError(f"{names[error.message]}: {error}") from None
        progress.close()
        if faults:
            message, reason = next(iter(faults.items()))
            raise DaitirError(
                f"model {self.options.model} gave no usable answer to {len(faults)} of {len(names)} requests"
                f" for {what} in {self.options.attempts} attempts; the first is {names[message]}, {reason}."
                " Raise `attempts` (the other answers are kept), or choose another model or template"
            )

    def _ask_once(self, messages: list[str], attempt: int, progress: Progress) -> dict[str, str]:
        """Store the good answers to messages; return what is wrong with the others, in the order asked."""
        found: dict[str, str] = {}
        for answers in self.model.answer(messages, attempt):
            useless = {
                message: reason
                for message, answer in answers.items()
                if (reason := fault(answer.text, answer.finished, self.options.max_new_tokens))
            }
            found |= useless
            good = {message: answer.text for message, answer in answers.items() if message not in useless}
            self.store.add(good)
            progress.advance(len(good))
        return {message: found[message] for message in messages if message in found}


def _named(messages: Iterable[tuple[tuple[Dialogue, int], str]]) -> dict[str, str]:
    """Return the different messages, each with the name of the first query that sends it."""
    names: dict[str, str] = {}
    for (dialogue, round_), message in messages:
        names.setdefault(message, query_key(dialogue.dialogue_id, round_))
    return names
