"""A chat model behind an OpenAI-compatible server, asked many single messages at a time."""

import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

import openai

from daitir.chat import Answer, OpenAIChatOptions
from daitir.chat.refusals import Server
from daitir.errors import DaitirError
from daitir.files import digest_text

SEED_DIGITS = 7  # hexadecimal; llama.cpp's seeds have 32 bits
NO_KEY = "no-key-needed"  # the library wants one, servers of one's own do not
WAITING_PER_THREAD = 2  # so that no thread idles while answers are stored


class OpenAIChat:
    """Sends each message as a request of its own, ``concurrency`` of them at a time, in threads."""

    def __init__(self, options: OpenAIChatOptions) -> None:
        self.options = options
        key = _key_of(options.api_key_env)
        self.client = openai.OpenAI(
            api_key=key or NO_KEY,
            base_url=options.base_url,
            timeout=options.timeout,
            max_retries=options.retries,
        )
        self.server = Server(options, self.client, key)

    def answer(self, messages: list[str], attempt: int) -> Iterator[dict[str, Answer]]:
        """Yield the answers by message as they come.

        After a request that fails for good no other is begun; answers on their way are still yielded.
        """
        with ThreadPoolExecutor(self.options.concurrency) as pool:
            try:
                yield from self._answers(pool, messages, attempt)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _answers(
        self, pool: ThreadPoolExecutor, messages: list[str], attempt: int
    ) -> Iterator[dict[str, Answer]]:
        waiting = iter(messages)
        running: dict[Future[Answer], str] = {}
        failure: BaseException | None = None
        while True:
            room = self.options.concurrency * WAITING_PER_THREAD - len(running)
            for message in islice(waiting, 0 if failure else room):
                running[pool.submit(self._ask, message, attempt)] = message
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            ended = {future: running.pop(future) for future in done}
            failure = failure or next(filter(None, (future.exception() for future in ended)), None)
            if failure:
                running = {future: message for future, message in running.items() if not future.cancel()}
            yield {message: future.result() for future, message in ended.items() if not future.exception()}
        if failure:
            raise failure

    def _ask(self, message: str, attempt: int) -> Answer:
        seed = digest_text("answer", str(self.options.seed), str(attempt), message)
        fields = {
            "max_tokens": self.options.max_new_tokens,
            "temperature": self.options.temperature_of(attempt),
            "seed": int(seed[:SEED_DIGITS], 16),
        }
        fields |= self.options.extra_body
        try:
            completion = self.client.chat.completions.create(
                model=self.options.model,
                messages=[{"role": "user", "content": message}],
                extra_body={name: value for name, value in fields.items() if value is not None},
            )
        except (openai.OpenAIError, ValueError) as error:
            raise self.server.refusal(error, message) from None
        return self._read(completion)

    def _read(self, completion: Any) -> Answer:
        """Return the answer of a response; what the model thought before it is no part of it."""
        try:
            choice = completion.choices[0]
            text, reason = choice.message.content or "", choice.finish_reason
        except (AttributeError, IndexError, TypeError):
            raise self.server.no_chat(completion) from None
        if not isinstance(text, str) or self.server.gives_away_key(text):
            raise self.server.no_chat(text)
        return Answer("" if reason == "content_filter" else text, finished=reason != "length")


def _key_of(variable: str) -> str | None:
    """Return the key in an environment variable; None without one: servers of one's own need none."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise DaitirError(f"environment variable {variable} holds characters that no key has: set it anew")
    return key or None
