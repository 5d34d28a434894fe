"""What all encoders share: texts and images in batches, so that a feature depends on its own item alone.

Shape suffixes: B batch, T tokens, C channels, H height, W width, D feature.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from daitir.compute import (
    by_padded_length,
    find_device,
    memory_of,
    padded_length,
    use_one_thread,
)
from daitir.encoders import EncodedTexts, EncoderFacts, EncoderOptions
from daitir.errors import DaitirError
from daitir.images import decode_image
from daitir.memory import FittingBatches

ADVICE = "lower `batch_size`, or set another `device`"
PIXELS_AT_ONCE = 2**18  # above this no time is won


class DualEncoder(ABC):
    """A text side and an image side; an implementation adds its tokens, its pixels and its networks.

    ``length_step``: texts are padded to a multiple of it, which depends on the text alone. ``most_tokens``:
    places that the model has for a text. ``filler``: the token behind a text's end. ``side``: pixels that an
    image has a side, at least. ``network``: both sides.
    """

    length_step = 8
    most_tokens: int
    filler: int
    side: int
    width: int
    preprocessing: str
    network: Any

    def __init__(self, options: EncoderOptions) -> None:
        use_one_thread()
        self.options = options
        self.device = find_device(options.device)
        self.dtype = getattr(torch, options.dtype)
        self.fitting = FittingBatches(options.batch_size, options.model, self.device, ADVICE)

    def memory(self) -> AbstractContextManager[None]:
        """Return a context in which a lack of memory while loading becomes one line."""
        return memory_of(self.options.model, self.device, ADVICE)

    @property
    def halved(self) -> dict[str, Any]:
        """Return what the record says of batches that were halved for want of memory; else nothing."""
        return self.fitting.record

    @property
    def facts(self) -> EncoderFacts:
        """Return what the encoder is like, for the record."""
        return EncoderFacts(
            self.options.max_tokens or self.most_tokens,
            self.width,
            self.preprocessing,
            sum(weight.numel() for weight in self.network.parameters()),
        )

    @abstractmethod
    def tokenize(self, text: str, limit: int | None = None) -> list[int]:
        """Return the tokens of a text with its begin and end; with ``limit``, cut to that many in all."""

    @abstractmethod
    def text_features(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return features (B x D, any length) of padded texts; ``mask_BT`` is 1 where a text is."""

    @abstractmethod
    def image_features(self, pixels_BCHW: Tensor) -> Tensor:
        """Return features (B x D, any length) of images."""

    @abstractmethod
    def pixels_of(self, images: list[Image.Image]) -> np.ndarray:
        """Return RGB images as the model takes them (B x C x H x W float32); threads may call this at once.

        The pixels of an image are the same alone and among others.
        """

    def pixels(self, image: Image.Image) -> np.ndarray:
        """Return the pixels of one RGB image (C x H x W float32)."""
        return self.pixels_of([image])[0]

    def read_pixels(self, data: bytes, source: str) -> np.ndarray:
        """Return the pixels of an image file; ``source`` names it in errors."""
        return self.pixels(self._decoded(data, source))

    def read_chunk(self, files: Iterable[tuple[bytes, str]]) -> list[np.ndarray]:
        """Return the pixels of some image files, each with its name for errors."""
        images = (self._decoded(data, source) for data, source in files)
        return [row for portion in _portions(images) for row in self.pixels_of(portion)]

    def _decoded(self, data: bytes, source: str) -> Image.Image:
        return decode_image(data, source, self.side if self.options.reduced_decode else None)

    def encode_texts(self, texts: list[str]) -> EncodedTexts:
        """Return features of texts; equal texts are encoded once."""
        different = sorted(set(texts))
        features_ND, truncated_N = self._encode_different(different)
        row = {text: place for place, text in enumerate(different)}
        rows = [row[text] for text in texts]
        return EncodedTexts(features_ND[rows], truncated_N[rows])

    def _encode_different(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        whole, limit = [self.tokenize(text) for text in texts], self._limit()
        truncated = np.array([len(ids) > limit for ids in whole], dtype=bool)
        tokens = [
            self.tokenize(text, limit) if cut else ids
            for text, ids, cut in zip(texts, whole, truncated, strict=True)
        ]
        features_ND = np.empty((len(texts), self.width), dtype=np.float32)
        lengths = [len(ids) for ids in tokens]
        for alike in by_padded_length(lengths, self.length_step, self.options.batch_size):
            for places, rows in self.fitting.run(
                alike, lambda chosen: self._encode_tokens([tokens[place] for place in chosen])
            ):
                features_ND[places] = rows
        return features_ND, truncated

    def _limit(self) -> int:
        limit = self.facts.text_limit
        if limit > self.most_tokens:
            raise DaitirError(
                f"encoder {self.options.model} reads {self.most_tokens} tokens at most, lower max_tokens:"
                f" {limit}"
            )
        return limit

    @torch.inference_mode()
    def _encode_tokens(self, rows: list[list[int]]) -> np.ndarray:
        return _unit(self.text_features(*self.pad_tokens(rows)))

    def cut_tokens(self, text: str) -> list[int]:
        """Return the tokens of a text, cut to the limit of the options."""
        return self.tokenize(text, self._limit())

    def pad_tokens(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Return tokens filled up to one length, and a mask that is 1 where a text is (both B x T)."""
        length = min(padded_length(max(map(len, rows)), self.length_step), self.most_tokens)
        ids_BT = torch.tensor([row + [self.filler] * (length - len(row)) for row in rows])
        mask_BT = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
        return ids_BT.to(self.device), mask_BT.to(self.device)

    def encode_images(self, images: Iterable[Image.Image]) -> np.ndarray:
        """Return features (N x D float32, unit length) of RGB images."""
        return self.encode_pixels(map(self.pixels, images))

    def encode_pixels(self, pixels: Iterable[np.ndarray]) -> np.ndarray:
        """Return features (N x D float32, unit length) of images prepared by ``pixels``."""
        batches = list(self._encode_batches(iter(pixels)))
        return np.concatenate(batches) if batches else np.empty((0, self.width), np.float32)

    def _encode_batches(self, pixels: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        while batch := list(islice(pixels, self.options.batch_size)):
            for _, rows in self.fitting.run(batch, self._encode_rows):
                yield np.asarray(rows)

    @torch.inference_mode()
    def _encode_rows(self, images: list[np.ndarray]) -> np.ndarray:
        pixels_BCHW = torch.from_numpy(np.stack(images))
        if self.device == "cuda":
            pixels_BCHW = pixels_BCHW.pin_memory()
        return _unit(self.image_features(pixels_BCHW.to(self.device, self.dtype, non_blocking=True)))


def _portions(images: Iterable[Image.Image]) -> Iterator[list[Image.Image]]:
    """Yield small images many at a time, so that what a call costs is shared, and large ones one by one."""
    portion: list[Image.Image] = []
    area = 0
    for image in images:
        portion.append(image)
        area += image.width * image.height
        if area >= PIXELS_AT_ONCE:
            yield portion
            portion, area = [], 0
    if portion:
        yield portion


def _unit(features_BD: Tensor) -> np.ndarray:
    return F.normalize(features_BD.float(), dim=-1).cpu().numpy()
