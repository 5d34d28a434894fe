"""Encoders of transformers: a tokenizer, an image processor and a model in one folder or hub repository."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer

from daitir.compute import call_loader, load_weights, require_vocabulary
from daitir.encoders import BlipOptions, ClipOptions, SiglipOptions
from daitir.encoders.base import DualEncoder
from daitir.errors import DaitirError


class HubEncoder(DualEncoder):
    """Loads what ``options.model`` names; its type must be the encoder's kind.

    ``processing`` replaces settings of the image processor.
    """

    def __init__(
        self, options: BlipOptions | ClipOptions | SiglipOptions, model_class: Any, **processing: Any
    ) -> None:
        super().__init__(options)
        # The networks are this program's choice, so an encoder never needs code of its own.
        hub = {"revision": options.revision, "trust_remote_code": False}
        found = call_loader(AutoConfig.from_pretrained, options.model, **hub).model_type
        require_kind(options.model, found, options.kind)
        self.tokenizer = call_loader(AutoTokenizer.from_pretrained, options.model, **hub)
        require_vocabulary(options.model, self.tokenizer)
        # The PIL processor even where torchvision is installed: pixels must not depend on what else is there.
        self.processor = call_loader(
            AutoImageProcessor.from_pretrained, options.model, backend="pil", **hub, **processing
        )
        with self.memory():
            self.network = load_weights(model_class, options.model, dtype=self.dtype, **hub).to(self.device)
        self.most_tokens = self.network.config.text_config.max_position_embeddings
        self.preprocessing = describe_processor(self.processor)
        self.side, self.pixels_of = side_of(self.processor), ProcessorPixels(self.processor)

    def tokenize(self, text: str, limit: int | None = None) -> list[int]:
        """Return the tokens of a text with its begin and end; with ``limit``, cut to that many in all."""
        if limit is None:
            return self.tokenizer(text, verbose=False).input_ids
        return self.tokenizer(text, truncation=True, max_length=limit).input_ids


@dataclass(frozen=True)
class ProcessorPixels:
    """What an image processor of transformers makes of images."""

    processor: Any

    def __call__(self, images: list[Image.Image]) -> np.ndarray:
        """Return RGB images as the model takes them (B x C x H x W float32)."""
        # An image that has the model's size is the same resized, bit for bit, and half of the time is won.
        resized = any(image.size != self.size for image in images)
        how = {} if resized else {"do_resize": False}
        return self.processor(images=images, return_tensors="np", **how)["pixel_values"]

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height to which every image is brought, where that does not hang on its shape."""
        size = self.processor.size
        return (size.width, size.height) if size and size.height and size.width else None


def require_kind(model: str, found: str | None, kind: str) -> None:
    """Refuse a model whose ``config.json`` calls it by another type than the encoder's kind."""
    if found != kind:
        raise DaitirError(
            f"model {model} is of type {found!r}, not one of kind {kind!r}: mend `kind` or `model`"
        )


def side_of(processor: Any) -> int:
    """Return the pixels that an image has a side, at least, when a processor has resized it."""
    if not processor.do_resize:
        return sys.maxsize
    size = processor.size
    return size.shortest_edge or max(size.height, size.width)


def describe_processor(processor: Any) -> str:
    """Return in one phrase what an image processor of transformers does to an image."""
    steps = []
    if processor.do_resize:
        side, name = processor.size.shortest_edge, Image.Resampling(processor.resample).name.lower()
        size = f"shortest edge {side}" if side else f"{processor.size.height} x {processor.size.width}"
        steps += [size, name]
    if processor.do_center_crop:
        steps.append(f"centre crop {processor.crop_size.height} x {processor.crop_size.width}")
    if processor.do_normalize:
        steps += [f"mean {_numbers(processor.image_mean)}", f"std {_numbers(processor.image_std)}"]
    return ", ".join(steps)


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
