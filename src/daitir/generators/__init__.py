"""Generators: what draws an image from a prompt and a seed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeAlias

from pydantic import Discriminator, Field, JsonValue, Tag, field_validator, model_validator

from daitir.compute import quiet_libraries
from daitir.options import Device, Dtype, Options, how, where

if TYPE_CHECKING:
    from PIL.Image import Image

# The fields of a pattern, with an example of each: place of the dialogue in its file (from 0), round, k
# (from 1), stem of the target's name, the target itself, the dialogue's id.
NAME_FIELDS: dict[str, int | str] = {
    "place": 0,
    "round": 0,
    "k": 1,
    "stem": "000000000001",
    "target": "unlabeled2017/000000000001.jpg",
    "dialogue_id": "000000000001",
}
PADDING = re.compile(r"(0\d?\dd)?")


class DiffusersOptions(Options):
    """A text-to-image pipeline of diffusers; height, width and what else is None are the model's own.

    ``without`` names parts that are not loaded: SD3 draws without its T5 when they are
    ``[text_encoder_3, tokenizer_3]``. ``settings`` are arguments of the pipeline's call that no option
    covers, ``scheduler_settings`` arguments of the scheduler. ``compile`` and ``vae_tiling`` change bits, so
    they count as a change of the images; offloading and slicing do not (on an accelerator slicing may move
    the last bits, as another batch size may).
    ``per_second`` is the pictures that one device draws, for estimates only.
    """

    kind: Literal["diffusers"] = "diffusers"
    model: str
    revision: str | None = None
    without: tuple[str, ...] = ()
    steps: int = Field(28, ge=1)
    guidance: float = Field(7.0, ge=0.0)
    height: int | None = Field(None, ge=8)
    width: int | None = Field(None, ge=8)
    images: int = Field(3, ge=1)
    seed: int = 0
    negative_prompt: str | None = None
    max_sequence_length: int | None = Field(None, ge=1)
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    scheduler: str | None = None
    scheduler_settings: dict[str, JsonValue] = Field(default_factory=dict)
    dtype: Dtype = "float32"
    compile: bool = False
    vae_tiling: bool = False
    format: Literal["png", "jpg", "webp"] = "png"
    quality: int = Field(95, ge=1, le=100)
    stored_size: int | None = Field(None, ge=8)
    batch_size: int = how(8, ge=1)
    device: Device = how("auto")
    offload: Literal["none", "model", "sequential"] = how("none")
    vae_slicing: bool = how(True)
    per_second: float | None = how(None, gt=0)

    @model_validator(mode="after")
    def _reads_its_negative_prompt(self) -> "DiffusersOptions":
        if self.negative_prompt is not None and self.guidance <= 1:
            raise ValueError(
                "negative_prompt is read with a guidance above 1 only: remove it or raise `guidance`"
            )
        return self


class ReleasedOptions(Options):
    """Pictures that somebody published, read in place; ``pattern`` names them by ``NAME_FIELDS``.

    Evaluation pictures are published as ``{place}_{round}.jpg``, those of training as
    ``round{round}/train-{stem}_{round}.jpg``.
    """

    kind: Literal["released"]
    folders: dict[str, Path] = where({})  # dialogue set -> folder; a stage gets the folder of its own set
    pattern: str = "{place}_{round}.jpg"
    images: int = Field(1, ge=1)

    @field_validator("pattern")
    @classmethod
    def _has_known_fields(cls, pattern: str) -> str:
        unknown = sorted(fields_of(pattern) - set(NAME_FIELDS))
        if unknown:
            raise ValueError(f"a picture has no {unknown[0]!r}; the fields are {', '.join(NAME_FIELDS)}")
        for _, _, width, conversion in Formatter().parse(pattern):
            if conversion or not PADDING.fullmatch(width or ""):
                raise ValueError("a field is written {name}, or {name:05d} for a number of five digits")
        pattern.format(**NAME_FIELDS)
        return pattern

    @model_validator(mode="after")
    def _tells_images_apart(self) -> "ReleasedOptions":
        if self.images > 1 and "k" not in fields_of(self.pattern):
            raise ValueError(f"pattern {self.pattern!r} has no {{k}} to tell {self.images} images apart")
        return self


def fields_of(pattern: str) -> set[str]:
    """Return the names in braces of a pattern."""
    return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}


def _kind(value: Any) -> str:
    kind = value.get("kind", "diffusers") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else ""


_BY_KIND = Discriminator(
    _kind,
    custom_error_type="unknown_kind",
    custom_error_message="a generator's kind is 'diffusers' (also where none is written) or 'released'",
)
GeneratorOptions: TypeAlias = Annotated[
    Annotated[DiffusersOptions, Tag("diffusers")] | Annotated[ReleasedOptions, Tag("released")], _BY_KIND
]


@dataclass(frozen=True)
class Order:
    """A picture that is wanted: its prompt, the number of the prompt (k from 1) and its seed.

    Two pictures of one prompt, k and seed are one picture.
    """

    prompt: str
    k: int
    seed: int


class Generator(Protocol):
    """Draws pictures on a device of torch's."""

    device: str

    @property
    def lowered(self) -> int | None:
        """Return the size of the batches drawn, where memory does not suffice for the one asked for."""

    def draw(self, orders: Sequence[Order]) -> Iterator[list[tuple[Order, "Image"]]]:
        """Yield the RGB pictures of the orders, batch by batch."""

    def cut_prompts(self, prompts: Sequence[str]) -> set[str]:
        """Return the prompts that no text encoder reads to their end."""


def image_seed(seed: int, prompt: str, k: int) -> int:
    """Seed of one image: the same in any batch, shard, order or machine."""
    return int.from_bytes(blake2b(f"{seed}/{k}/{prompt}".encode(), digest_size=8).digest()) >> 1


def load_generator(options: DiffusersOptions) -> Generator:
    """Return the generator of ``options``."""
    quiet_libraries("transformers", "diffusers")
    from daitir.generators.diffusers import DiffusersGenerator

    return DiffusersGenerator(options)
