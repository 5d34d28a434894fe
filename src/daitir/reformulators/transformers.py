"""Reformulation by a chat model, after DAR: R1 writes the query text S_r, R2 the K prompts of S_r."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.progress import Progress
from daitir.queries import Query, query_key
from daitir.reformulators import TransformersOptions, Work
from daitir.reformulators.answers import AnswerStore, clean, fault
from daitir.reformulators.templates import Templates


class TransformersReformulator:
    """Asks each different message once; a useless answer is asked for again, then refused by name."""

    def __init__(self, options: TransformersOptions, scratch: Path | None) -> None:
        from daitir.reformulators.chat import ChatModel

        self.options = options
        self.templates = Templates(options.query_template, options.prompt_template)
        self.model = ChatModel(options)
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
        for attempt in range(self.options.attempts):
            faults = {}
            for answers in self.model.answer(waiting, attempt):
                found = {
                    message: fault(answer.text, answer.finished, self.options.max_new_tokens)
                    for message, answer in answers.items()
                }
                faults |= {message: reason for message, reason in found.items() if reason}
                self.store.add({message: answers[message].text for message in answers if not found[message]})
                progress.advance(len(answers) - sum(map(bool, found.values())))
            waiting = list(faults)
        progress.close()
        if faults:
            message, reason = next(iter(faults.items()))
            raise DaitirError(
                f"model {self.options.model} gave no usable answer to {len(faults)} of {len(names)} requests"
                f" for {what} in {self.options.attempts} attempts; the first is {names[message]}, {reason}."
                " Raise `attempts` (the other answers are kept), or choose another model or template"
            )


def _named(messages: Iterable[tuple[tuple[Dialogue, int], str]]) -> dict[str, str]:
    """Return the different messages, each with the name of the first query that sends it."""
    names: dict[str, str] = {}
    for (dialogue, round_), message in messages:
        names.setdefault(message, query_key(dialogue.dialogue_id, round_))
    return names
