"""Generators: what draws an image from a prompt and a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from daitir.compute import quiet_libraries
from daitir.options import Device, Dtype, Options, how

if TYPE_CHECKING:
    from PIL.Image import Image


class GeneratorOptions(Options):
    """A text-to-image pipeline of diffusers; height, width and what else is None are the model's own.

    ``compile`` changes the last bits, so it counts as a change of the images; offloading does not.
    """

    model: str
    revision: str | None = None
    steps: int = Field(28, ge=1)
    guidance: float = Field(7.0, ge=0.0)
    height: int | None = Field(None, ge=8)
    width: int | None = Field(None, ge=8)
    images: int = Field(3, ge=1)
    seed: int = 0
    negative_prompt: str | None = None
    max_sequence_length: int | None = Field(None, ge=1)
    scheduler: str | None = None
    dtype: Dtype = "float32"
    compile: bool = False
    format: Literal["png", "jpg", "webp"] = "png"
    quality: int = Field(95, ge=1, le=100)
    stored_size: int | None = Field(None, ge=8)
    batch_size: int = how(8, ge=1)
    device: Device = how("auto")
    offload: Literal["none", "model", "sequential"] = how("none")


@dataclass(frozen=True)
class Order:
    """A picture that is wanted: its prompt, the number of the prompt (k from 1) and its seed.

    Two pictures of one prompt, k and seed are one picture.
    """

    prompt: str
    k: int
    seed: int


class Generator(Protocol):
    """Draws pictures."""

    def draw(self, orders: Sequence[Order]) -> Iterator[list[tuple[Order, "Image"]]]:
        """Yield the RGB pictures of the orders, batch by batch."""


def image_seed(seed: int, prompt: str, k: int) -> int:
    """Seed of one image: the same in any batch, shard, order or machine."""
    return int.from_bytes(blake2b(f"{seed}/{k}/{prompt}".encode(), digest_size=8).digest()) >> 1


def load_generator(options: GeneratorOptions) -> Generator:
    """Return the generator of ``options``."""
    quiet_libraries("transformers", "diffusers")
    from daitir.generators.diffusers import DiffusersGenerator

    return DiffusersGenerator(options)
