"""Chat models: what answers a message, loaded here or behind a server. Importing this loads no library.

Reformulators and the questioner of the simulation are such options with templates of their own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from daitir.compute import quiet_libraries
from daitir.errors import DaitirError
from daitir.options import Device, Dtype, Options, how

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEY_ITSELF = re.compile(r"(?=.*[a-z])(?=.*[0-9]).{20,}")  # hf_..., gsk_...: no variable is called like that
OURS = {"model", "messages", "stream", "n"}  # fields of a request that `extra_body` leaves alone
SECRET = re.compile("key|token|auth|secret|password|header|credential", re.IGNORECASE)
TOKENS_OF_TEXT = re.compile("(?:tokens|token_ids)$")  # max_tokens, stop_token_ids: no secrets
TEMPERATURE_OF_RETRIES = 0.7  # an answer that was refused is asked for again with at least this


class ChatSettings(Options):
    """What any chat model is asked with."""

    model: str
    max_new_tokens: int = Field(128, ge=1)
    temperature: float = Field(0.0, ge=0.0)
    attempts: int = how(3, ge=1)  # an answer once accepted is the same under any number of them
    per_second: float | None = how(None, gt=0.0)  # answers a second, for estimates alone

    def temperature_of(self, attempt: int) -> float:
        """Return the temperature of an attempt: the set one, and from the second on a warm one."""
        return max(self.temperature, TEMPERATURE_OF_RETRIES if attempt else 0.0)


class TransformersChatOptions(ChatSettings):
    """A chat model of transformers, loaded by the stage itself."""

    kind: Literal["transformers"]
    revision: str | None = None
    dtype: Dtype = "float32"
    trust_remote_code: bool = False
    batch_size: int = how(32, ge=1)
    device: Device = how("auto")


class OpenAIChatOptions(ChatSettings):
    """A chat model behind an OpenAI-compatible server: vLLM, TGI, llama.cpp, ``transformers serve``.

    ``model`` is what the server calls it. The address does not change bytes: it is the same model behind
    another one. Whatever is not sent is the server's own default; ``extra_body`` holds further fields of the
    request, and a null in it leaves out one of ours. The key is in the environment and nowhere else.
    A useless answer is asked for again with another seed and more warmth; ``transformers serve`` heeds them
    only where the model's own generation settings sample.
    """

    kind: Literal["openai"]
    seed: int = 0
    extra_body: dict[str, Any] = Field({})
    base_url: str = how(...)  # usually ends in /v1
    concurrency: int = how(8, ge=1)
    timeout: float = how(120.0, gt=0.0)  # seconds without a sign of an answer
    retries: int = how(5, ge=0)  # of a request that found no answer, with growing pauses
    api_key_env: str = how("OPENAI_API_KEY")

    @model_validator(mode="before")
    @classmethod
    def _refuse_secrets(cls, values: Any) -> Any:
        """Refuse a key in the config; seen as a whole, for the fault of a single field quotes its value."""
        if isinstance(values, dict):
            variable = str(values.get("api_key_env", "OPENAI_API_KEY"))
            if not VARIABLE.fullmatch(variable) or KEY_ITSELF.fullmatch(variable):
                raise ValueError("api_key_env is the NAME of the environment variable that holds the key")
            _check_address(str(values.get("base_url", "http://localhost")))
            if not isinstance(values.get("extra_body", {}), dict):
                raise ValueError("extra_body is no mapping of fields of a request to their values")
            _check_fields(values.get("extra_body", {}))
        return values

    @model_validator(mode="after")
    def _keep_what_is_ours(self) -> Self:
        taken = sorted(OURS & set(self.extra_body))
        if taken:
            raise ValueError(f"extra_body cannot hold {', '.join(taken)}: these are this program's own")
        return self


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("base_url is no address: write http://host:port/v1") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("base_url is no address: write http://host:port/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("base_url holds more than an address; a key belongs into the environment")


def _check_fields(value: Any) -> None:
    """Refuse fields of a request, at any depth, whose names are those of secrets; no value is quoted."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if SECRET.search(TOKENS_OF_TEXT.sub("", str(name))):
                raise ValueError(
                    f"extra_body holds {name!r}, which may be a secret: a key belongs into the environment"
                    " variable that api_key_env names"
                )
            _check_fields(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_fields(inner)


ChatOptions: TypeAlias = TransformersChatOptions | OpenAIChatOptions


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


def load_chat(options: ChatOptions) -> ChatModel:
    """Return the chat model of ``options``."""
    if isinstance(options, OpenAIChatOptions):
        from daitir.chat.openai import OpenAIChat

        return OpenAIChat(options)
    quiet_libraries("transformers")
    from daitir.chat.transformers import TransformersChat

    return TransformersChat(options)
