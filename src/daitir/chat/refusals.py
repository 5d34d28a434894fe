"""What an OpenAI-compatible server says when it does not answer, in one line and without the key."""

from itertools import groupby
from typing import Any

import openai

from daitir.chat import OpenAIChatOptions, UnanswerableError
from daitir.errors import DaitirError

HIDDEN = "[key]"
LONGEST = 300  # characters of a server's own words
MOST_MODELS = 10  # that a refusal lists
SECONDS_FOR_MODELS = 10.0
SHORTEST_SECRET = 8  # a shorter key ("EMPTY", "none") is no secret, and may be a word of an honest answer
TELLING = 16  # so many characters of a key in a row come into an honest answer by no chance
WORDS_OF_LENGTH = ("context", "too long", "too large", "max_new_tokens", "maximum")


class Server:
    """A server as errors speak of it; the key is taken out of everything that is repeated from it."""

    def __init__(self, options: OpenAIChatOptions, client: openai.OpenAI, key: str | None) -> None:
        self.options = options
        self.client = client
        self.key = key

    def gives_away_key(self, text: str) -> bool:
        """Tell whether an answer holds the key, or a long part of it, which must not come into any file."""
        if self.key is None or len(self.key) < SHORTEST_SECRET:
            return False
        return any(part in text.lower() for part in _parts(self.key.lower(), TELLING))

    def no_chat(self, response: Any) -> DaitirError:
        """Return the error for a response that is no answer of a chat model."""
        return self._error(
            f"answers with what is no chat completion ({self._quote(response)}): is `base_url` right? It"
            " usually ends in /v1"
        )

    def refusal(self, error: Exception, message: str) -> DaitirError:
        """Return the error for a request that failed for good, retries included."""
        retries = f"with up to {self.options.retries} retries"
        if isinstance(error, openai.APITimeoutError):
            return self._error(
                f"gave no answer within {self.options.timeout:g} seconds, {retries}: raise `timeout` or lower"
                " `concurrency`"
            )
        if isinstance(error, openai.APIConnectionError):
            cause = self._quote(error.__cause__ or error)
            return self._error(f"cannot be reached ({cause}), {retries}: start it or mend `base_url`")
        if not isinstance(error, openai.APIStatusError):
            return self.no_chat(error)
        said = f"{error.status_code}: {self._quote(_words_of(error))}"
        if error.status_code in {401, 403}:
            return self._error(f"lets nobody in ({said}): {self._advice_on_key()}")
        if error.status_code == 404:
            return self._error(
                f"does not know model {self.options.model} ({said}): {self._advice_on_model()}"
            )
        if error.status_code == 429 or error.status_code >= 500:
            return self._error(f"fails ({said}), {retries}: look into its log, or lower `concurrency`")
        return UnanswerableError(message, str(self._error(f"refuses the request ({said}): {_advice(said)}")))

    def _error(self, what: str) -> DaitirError:
        return DaitirError(f"server {self.options.base_url} {what}; the other answers are kept")

    def _quote(self, words: object) -> str:
        text = " ".join(str(words).split())
        if self.key is not None:
            text = _hide(text, self.key)
        return text if len(text) <= LONGEST else text[:LONGEST] + "..."

    def _advice_on_key(self) -> str:
        variable = self.options.api_key_env
        if self.key is None:
            return f"it wants a key; put it into the environment variable {variable}"
        return f"the key in the environment variable {variable} is not valid there; set another"

    def _advice_on_model(self) -> str:
        """Say what the server offers, if it tells."""
        try:
            quick = self.client.with_options(max_retries=0, timeout=SECONDS_FOR_MODELS)
            offered = sorted(str(model.id) for model in quick.models.list().data)
        except (openai.OpenAIError, ValueError, AttributeError, TypeError):
            offered = []
        if not offered:
            return "it names none that it has; mend `model` or `base_url`, which usually ends in /v1"
        more = ", ..." if len(offered) > MOST_MODELS else ""
        return f"set `model` to one it has: {self._quote(', '.join(offered[:MOST_MODELS]))}{more}"


def _parts(key: str, length: int) -> set[str]:
    """Return all parts of a key of a length; of a shorter key the whole."""
    return {key[start : start + length] for start in range(max(1, len(key) - length + 1))}


def _hide(text: str, key: str) -> str:
    """Return a text without the key, and without what a server shows of it: its begin, its end, its case."""
    lower = "".join(letter.lower()[0] for letter in text)  # as long as the text, in every language
    parts = _parts(key.lower(), SHORTEST_SECRET)
    length = min(len(key), SHORTEST_SECRET)
    hidden = [False] * len(text)
    for start in range(len(lower) - length + 1):
        if lower[start : start + length] in parts:
            hidden[start : start + length] = [True] * length
    runs = groupby(zip(text, hidden, strict=True), key=lambda pair: pair[1])
    return "".join(HIDDEN if is_key else "".join(letter for letter, _ in run) for is_key, run in runs)


def _words_of(error: openai.APIStatusError) -> object:
    """Return the words in the body of an error: servers put them under several names."""
    body = error.body
    if isinstance(body, dict):
        body = next((body[name] for name in ("message", "detail", "error") if body.get(name)), body)
    return body or error.message


def _advice(said: str) -> str:
    if any(word in said.lower() for word in WORDS_OF_LENGTH):
        return "lower `max_new_tokens`, shorten the templates, or serve the model with a longer context"
    return "mend `model` or `extra_body`, or choose another server"
