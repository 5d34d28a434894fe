"""Encoders: what turns texts and images into unit vectors of one space."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from daitir.compute import quiet_libraries
from daitir.options import Device, Dtype, Options, how, text_only

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


class BlipOptions(Options):
    """BLIP's retrieval encoder (BlipForImageTextRetrieval); a text is cut after ``max_tokens``."""

    kind: Literal["blip"]
    model: str
    revision: str | None = None
    dtype: Dtype = "float32"
    max_tokens: int = text_only(256, ge=4)
    batch_size: int = how(64, ge=1)
    device: Device = how("auto")
    workers: int = how(2, ge=0)


EncoderOptions = BlipOptions


class EncodedTexts(NamedTuple):
    """Features of texts (N x D float32, unit length) and which texts were cut to ``max_tokens`` (N)."""

    features: "np.ndarray"
    truncated: "np.ndarray"


class Encoder(Protocol):
    """Turns texts and images into unit vectors of one space."""

    def encode_texts(self, texts: list[str]) -> EncodedTexts:
        """Return features of texts."""

    def pixels(self, image: "Image") -> "np.ndarray":
        """Return an RGB image as the model takes it (C x H x W float32); threads may call this at once."""

    def encode_pixels(self, pixels: "Iterable[np.ndarray]") -> "np.ndarray":
        """Return features (N x D float32, unit length) of images prepared by ``pixels``."""

    def encode_images(self, images: "Iterable[Image]") -> "np.ndarray":
        """Return features (N x D float32, unit length) of RGB images."""


def load_encoder(options: BlipOptions) -> Encoder:
    """Return the encoder of ``options``."""
    quiet_libraries("transformers")
    from daitir.encoders.blip import BlipEncoder

    return BlipEncoder(options)
