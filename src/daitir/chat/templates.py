"""The messages sent to a chat model, rendered from Jinja templates."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from daitir.errors import DaitirError
from daitir.options import read_template


class MessageTemplate:
    """A Jinja file that may do nothing but fill in its variables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        environment = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        try:
            self._template = environment.from_string(read_template(path))
        except TemplateError as error:
            raise DaitirError(f"template {path} is not Jinja ({error}): mend it") from None

    def fill(self, **variables: object) -> str:
        """Return the message; a variable that the template names and that is not given is refused."""
        try:
            return self._template.render(variables).strip()
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            known = ", ".join(sorted(variables))
            raise DaitirError(
                f"template {self.path} cannot be filled ({error}): its variables are {known}"
            ) from None

    def fill_with_turns(self, turns: Sequence[str]) -> str:
        """Return the message about a dialogue: ``caption``, ``elaborations``, and both as ``turns``."""
        return self.fill(caption=turns[0], elaborations=list(turns[1:]), turns=list(turns))
