"""Reformulation by a chat model, after DAR: R1 writes the query text S_r, R2 the K prompts of S_r."""

from collections.abc import Iterator
from pathlib import Path

from daitir.chat.answers import clean
from daitir.chat.asking import Asker, Request
from daitir.dialogues import Dialogue
from daitir.queries import Query, query_key
from daitir.reformulators import OpenAIOptions, TransformersOptions, Work
from daitir.reformulators.templates import Templates


class ChatReformulator:
    """Asks for all query texts, then for the prompts of each; equal messages are asked once."""

    def __init__(self, options: TransformersOptions | OpenAIOptions, scratch: Path | None) -> None:
        self.options = options
        self.templates = Templates(options.query_template, options.prompt_template)
        self.asker = Asker(options, scratch)

    def reformulate(self, work: Work) -> Iterator[Query]:
        """Yield the queries of the asked rounds of each dialogue."""
        messages = {
            (dialogue, round_): self.templates.query_message(dialogue, round_)
            for dialogue, rounds in work
            for round_ in rounds
        }
        texts = self.asker.ask(
            (_request(place, message) for place, message in messages.items()), "query texts", "queries"
        )
        asked = {place: self._prompt_messages(clean(texts[message])) for place, message in messages.items()}
        prompts = self.asker.ask(
            (_request(place, message) for place, wanted in asked.items() for message in wanted),
            "prompts",
            "prompts",
        )
        for (dialogue, round_), message in messages.items():
            raw = [texts[message], *(prompts[wanted] for wanted in asked[dialogue, round_])]
            query_text, *cleaned = map(clean, raw)
            yield Query(dialogue.dialogue_id, round_, query_text, tuple(cleaned), tuple(raw))

    def _prompt_messages(self, query_text: str) -> list[str]:
        return [self.templates.prompt_message(query_text, k) for k in range(1, self.options.prompts + 1)]


def _request(place: tuple[Dialogue, int], message: str) -> Request:
    """Return the request of a message, named after the first query that sends it."""
    dialogue, round_ = place
    return Request(message, message, query_key(dialogue.dialogue_id, round_))
