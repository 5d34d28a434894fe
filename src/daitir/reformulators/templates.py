"""The messages sent to a chat model, rendered from Jinja templates."""

from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.options import read_template

FOLDER = Path(__file__).parent


class Templates:
    """The two templates of a chat model.

    That of the query text has the variables ``caption``, ``elaborations`` and ``turns``; that of a prompt has
    ``query`` and ``k`` from 1 (not K, so that more prompts keep the earlier ones).
    """

    def __init__(self, query: Path | None, prompt: Path | None) -> None:
        self._query, self._query_path = _load(query or FOLDER / "query.jinja")
        self._prompt, self._prompt_path = _load(prompt or FOLDER / "prompt.jinja")

    def query_message(self, dialogue: Dialogue, round_: int) -> str:
        """Return the message that asks for the query text S_r of the turns up to ``round_``."""
        turns = list(dialogue.turns[: round_ + 1])
        return _render(self._query, self._query_path, caption=turns[0], elaborations=turns[1:], turns=turns)

    def prompt_message(self, query: str, k: int) -> str:
        """Return the message that asks for prompt k of a query text."""
        return _render(self._prompt, self._prompt_path, query=query, k=k)


def _load(path: Path) -> tuple[Template, Path]:
    environment = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(read_template(path)), path
    except TemplateError as error:
        raise DaitirError(f"template {path} is not Jinja ({error}): mend it") from None


def _render(template: Template, path: Path, **variables: object) -> str:
    try:
        return template.render(variables).strip()
    except TemplateError as error:
        known = ", ".join(sorted(variables))
        raise DaitirError(f"template {path} cannot be filled ({error}): its variables are {known}") from None
