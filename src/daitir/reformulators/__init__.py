"""Reformulators: what turns a dialogue into a query text and prompts for the diffusion model."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from daitir.compute import quiet_libraries
from daitir.options import Device, Dtype, Options, how, name_union_tags, where

name_union_tags("join", "transformers", "openai", "released")

if TYPE_CHECKING:
    from daitir.dialogues import Dialogue
    from daitir.queries import Query

Work: TypeAlias = "list[tuple[Dialogue, list[int]]]"  # dialogues, and the rounds that are asked for
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OURS = {"model", "messages", "stream", "n"}  # fields of a request that `extra_body` leaves alone


class JoinOptions(Options):
    """The dialogue as it is: turns joined, the same text for every prompt."""

    kind: Literal["join"]
    separator: str = ", "
    prompts: int = Field(3, ge=1)


class ReleasedOptions(Options):
    """Published queries (DAR, PlugIR), read from one file a dialogue set; each prompt is the query text.

    A file has ChatIR's shape, but ``dialog[r]`` is already the query text S_r.
    """

    kind: Literal["released"]
    files: dict[str, Path] = where({})  # dialogue set -> file; a stage gets the file of its own set
    prompts: int = Field(3, ge=1)


class ChatOptions(Options):
    """What any chat model is asked; templates are Jinja files, this package's unless others are named."""

    model: str
    prompts: int = Field(3, ge=1)
    query_template: Path | None = None
    prompt_template: Path | None = None
    max_new_tokens: int = Field(128, ge=1)
    temperature: float = Field(0.0, ge=0.0)
    attempts: int = how(3, ge=1)  # an answer once accepted is the same under any number of them
    per_second: float | None = how(None, gt=0.0)  # answers a second, for estimates alone


class TransformersOptions(ChatOptions):
    """A chat model of transformers, loaded by the stage itself."""

    kind: Literal["transformers"]
    revision: str | None = None
    dtype: Dtype = "float32"
    trust_remote_code: bool = False
    batch_size: int = how(32, ge=1)
    device: Device = how("auto")


class OpenAIOptions(ChatOptions):
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
            if not VARIABLE.fullmatch(str(values.get("api_key_env", "OPENAI_API_KEY"))):
                raise ValueError("api_key_env is the NAME of the environment variable that holds the key")
            _check_address(str(values.get("base_url", "http://localhost")))
        return values

    @model_validator(mode="after")
    def _keep_what_is_ours(self) -> "OpenAIOptions":
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


ReformulatorOptions = Annotated[
    JoinOptions | ReleasedOptions | TransformersOptions | OpenAIOptions, Field(discriminator="kind")
]


class Reformulator(Protocol):
    """Writes the query text and the prompts of rounds of dialogues."""

    def reformulate(self, work: Work) -> "Iterator[Query]":
        """Yield the queries of the asked rounds of each dialogue."""


def load_reformulator(
    options: JoinOptions | ReleasedOptions | TransformersOptions | OpenAIOptions,
    scratch: Path | None = None,
    released: Path | None = None,
    dialogues: "Sequence[Dialogue]" = (),
) -> Reformulator:
    """Return the reformulator of ``options``; finished answers are kept and found again in ``scratch``.

    ``released`` is the file of published queries, and ``dialogues`` the whole set that it is matched with.
    """
    if isinstance(options, JoinOptions):
        from daitir.reformulators.join import JoinReformulator

        return JoinReformulator(options)
    if isinstance(options, ReleasedOptions):
        from daitir.reformulators.released import ReleasedReformulator

        assert released is not None, "the kind `released` comes with its file"
        return ReleasedReformulator(options, released, dialogues)
    from daitir.reformulators.chat import ChatReformulator

    if isinstance(options, OpenAIOptions):
        from daitir.reformulators.openai import OpenAIChat

        return ChatReformulator(options, OpenAIChat(options), scratch)
    quiet_libraries("transformers")
    from daitir.reformulators.transformers import TransformersChat

    return ChatReformulator(options, TransformersChat(options), scratch)
