"""The two messages of a reformulation, rendered from Jinja templates."""

from pathlib import Path

from daitir.chat.templates import MessageTemplate
from daitir.dialogues import Dialogue

FOLDER = Path(__file__).parent


class Templates:
    """The two templates of a chat model.

    That of the query text has the variables ``caption``, ``elaborations`` and ``turns``; that of a prompt has
    ``query`` and ``k`` from 1 (not K, so that more prompts keep the earlier ones).
    """

    def __init__(self, query: Path | None, prompt: Path | None) -> None:
        self._query = MessageTemplate(query or FOLDER / "query.jinja")
        self._prompt = MessageTemplate(prompt or FOLDER / "prompt.jinja")

    def query_message(self, dialogue: Dialogue, round_: int) -> str:
        """Return the message that asks for the query text S_r of the turns up to ``round_``."""
        return self._query.fill_with_turns(dialogue.turns[: round_ + 1])

    def prompt_message(self, query: str, k: int) -> str:
        """Return the message that asks for prompt k of a query text."""
        return self._prompt.fill(query=query, k=k)
