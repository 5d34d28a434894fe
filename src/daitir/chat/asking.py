"""The asking of a chat model: each different request once, a useless answer again, then refused by name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from daitir.chat import Answer, ChatOptions, UnanswerableError, load_chat
from daitir.chat.answers import AnswerStore, clean, fault
from daitir.errors import DaitirError
from daitir.progress import Progress


def no_fault(text: str) -> None:
    """Find nothing wrong: any answer will do that is one at all."""


@dataclass(frozen=True)
class Request:
    """A message, the key under which its answer is kept, and the name that errors give it.

    ``fault`` says what makes a cleaned answer useless beyond what makes any answer so. Requests with one key
    are one request; those with one message are answered together and judged each by itself.
    """

    key: str
    message: str
    name: str
    fault: Callable[[str], str | None] = no_fault


class Asker:
    """A chat model with its good answers so far, which are kept and found again in ``scratch``."""

    def __init__(self, options: ChatOptions, scratch: Path | None) -> None:
        self.options = options
        self.model = load_chat(options)
        self.store = AnswerStore(scratch)

    def ask(self, requests: Iterable[Request], what: str, unit: str) -> dict[str, str]:
        """Return the answers by key, as the model wrote them; ``what`` and ``unit`` are words for people."""
        different: dict[str, Request] = {}
        for request in requests:
            different.setdefault(request.key, request)
        waiting = [request for key, request in different.items() if key not in self.store]
        progress = Progress(what, total=len(different), unit=unit, done=len(different) - len(waiting))
        faults: dict[str, str] = {}
        for attempt in range(self.options.attempts):
            if not waiting:
                break
            faults = self._ask_once(waiting, attempt, progress)
            waiting = [different[key] for key in faults]
        progress.close()
        if faults:
            key, reason = next(iter(faults.items()))
            raise DaitirError(
                f"model {self.options.model} gave no usable answer to {len(faults)} of {len(different)}"
                f" requests for {what} in {self.options.attempts} attempts; the first is"
                f" {different[key].name}, {reason}. Raise `attempts` (the other answers are kept), or choose"
                " another model or template"
            )
        return {key: self.store[key] for key in different}

    def _ask_once(self, requests: list[Request], attempt: int, progress: Progress) -> dict[str, str]:
        """Store the good answers; return what is wrong with the others by key, in the order asked."""
        asking: dict[str, list[Request]] = {}
        for request in requests:
            asking.setdefault(request.message, []).append(request)
        found: dict[str, str] = {}
        try:
            for answers in self.model.answer(list(asking), attempt):
                judged = {
                    request.key: (answer.text, self._fault(request, answer))
                    for message, answer in answers.items()
                    for request in asking[message]
                }
                found |= {key: reason for key, (_, reason) in judged.items() if reason}
                good = {key: text for key, (text, reason) in judged.items() if not reason}
                self.store.add(good)
                progress.advance(len(good))
        except UnanswerableError as error:
            raise DaitirError(f"{asking[error.message][0].name}: {error}") from None
        return {request.key: found[request.key] for request in requests if request.key in found}

    def _fault(self, request: Request, answer: Answer) -> str | None:
        useless = fault(answer.text, answer.finished, self.options.max_new_tokens)
        return useless or request.fault(clean(answer.text))
