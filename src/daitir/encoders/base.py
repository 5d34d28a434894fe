"""What all encoders share: texts and images in batches, so that a feature depends on its own item alone.

Shape suffixes: B batch, T tokens, C channels, H height, W width, D feature.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
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
    use_one_core,
)
from daitir.encoders import EncodedTexts, EncoderFacts, EncoderOptions
from daitir.encoders.pixels import PixelReader
from daitir.errors import DaitirError
from daitir.memory import FittingBatches

ADVICE = "lower `batch_size`, or set another `device`"


class DualEncoder(ABC):
    """A text side and an image side; an implementation adds its tokens, its pixels and its networks.

    ``length_step``: texts are padded to a multiple of it, which depends on the text alone. ``most_tokens``:
    places that the model has for a text. ``filler``: the token behind a text's end. ``side``: pixels that an
    image has a side, at least. ``pixels_of``: see `PixelReader`. ``network``: both sides.
    """

    length_step = 8
    most_tokens: int
    filler: int
    side: int
    width: int
    preprocessing: str
    pixels_of: Callable[[list[Image.Image]], np.ndarray]
    network: Any

    def __init__(self, options: EncoderOptions) -> None:
        use_one_core()
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

    @property
    def reader(self) -> PixelReader:
        """Return what reads image files for this model."""
        return PixelReader(self.pixels_of, self.side if self.options.reduced_decode else None)

    def pixels(self, image: Image.Image) -> np.ndarray:
        """Return the pixels of one RGB image (C x H x W float32)."""
        return self.pixels_of([image])[0]

    def read_pixels(self, data: bytes, source: str) -> np.ndarray:
        """Return the pixels of an image file; ``source`` names it in errors."""
        return self.reader.read([(data, source)])[0]

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
        return _unit(self.text_features(*self.pad_tokens(rows))).cpu().numpy()

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
        """Yield features batch by batch; while an accelerator computes one, the next is gathered."""
        computed: list[Tensor] = []
        while batch := list(islice(pixels, self.options.batch_size)):
            yield from (features_BD.cpu().numpy() for features_BD in computed)
            computed = [features_BD for _, features_BD in self.fitting.run(batch, self._encode_rows)]
        yield from (features_BD.cpu().numpy() for features_BD in computed)

    @torch.inference_mode()
    def _encode_rows(self, images: list[np.ndarray]) -> Tensor:
        # A GPU fetches by itself what stays in its place in memory, and nothing that is converted on the way.
        on_gpu = self.device == "cuda"
        pixels_BCHW = torch.empty((len(images), *images[0].shape), pin_memory=on_gpu)
        np.stack(images, out=pixels_BCHW.numpy())
        there_BCHW = pixels_BCHW.to(self.device, non_blocking=on_gpu).to(self.dtype)
        return _unit(self.image_features(there_BCHW))


def _unit(features_BD: Tensor) -> Tensor:
    return F.normalize(features_BD.float(), dim=-1)
