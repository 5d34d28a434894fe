"""Reformulators: what turns a dialogue into a query text and prompts for the diffusion model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, TypeAlias

from pydantic import Field

from daitir.chat import OpenAIChatOptions, TransformersChatOptions
from daitir.options import Options, where

if TYPE_CHECKING:
    from daitir.dialogues import Dialogue
    from daitir.queries import Query

Work: TypeAlias = "list[tuple[Dialogue, list[int]]]"  # dialogues, and the rounds that are asked for


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


class Prompting(Options):
    """What a chat model is asked to write; templates are Jinja files, None: this package's."""

    prompts: int = Field(3, ge=1)
    query_template: Path | None = None
    prompt_template: Path | None = None


class TransformersOptions(Prompting, TransformersChatOptions):
    """A chat model of transformers, loaded by the stage itself."""


class OpenAIOptions(Prompting, OpenAIChatOptions):
    """A chat model behind an OpenAI-compatible server."""


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

    return ChatReformulator(options, scratch)
