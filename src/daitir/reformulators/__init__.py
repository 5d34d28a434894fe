"""Reformulators: what turns a dialogue into a query text and prompts for the diffusion model."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, TypeAlias

from pydantic import Field

from daitir.compute import quiet_libraries
from daitir.options import Device, Dtype, Options, how, name_union_tags

name_union_tags("join", "transformers")

if TYPE_CHECKING:
    from daitir.dialogues import Dialogue
    from daitir.queries import Query

Work: TypeAlias = "list[tuple[Dialogue, list[int]]]"  # dialogues, and the rounds that are asked for


class JoinOptions(Options):
    """The dialogue as it is: turns joined, the same text for every prompt."""

    kind: Literal["join"]
    separator: str = ", "
    prompts: int = Field(3, ge=1)


class TransformersOptions(Options):
    """A chat model of transformers; templates are Jinja files, this package's unless others are named."""

    kind: Literal["transformers"]
    model: str
    revision: str | None = None
    prompts: int = Field(3, ge=1)
    query_template: Path | None = None
    prompt_template: Path | None = None
    max_new_tokens: int = Field(128, ge=1)
    temperature: float = Field(0.0, ge=0.0)
    dtype: Dtype = "float32"
    trust_remote_code: bool = False
    attempts: int = how(3, ge=1)  # an answer once accepted is the same under any number of them
    batch_size: int = how(32, ge=1)
    device: Device = how("auto")


ReformulatorOptions = Annotated[JoinOptions | TransformersOptions, Field(discriminator="kind")]


class Reformulator(Protocol):
    """Writes the query text and the prompts of rounds of dialogues."""

    def reformulate(self, work: Work) -> "Iterator[Query]":
        """Yield the queries of the asked rounds of each dialogue."""


def load_reformulator(
    options: JoinOptions | TransformersOptions, scratch: Path | None = None
) -> Reformulator:
    """Return the reformulator of ``options``; finished answers are kept and found again in ``scratch``."""
    if isinstance(options, JoinOptions):
        from daitir.reformulators.join import JoinReformulator

        return JoinReformulator(options)
    quiet_libraries("transformers")
    from daitir.reformulators.transformers import TransformersReformulator

    return TransformersReformulator(options, scratch)
