"""Encoders: what turns texts and images into unit vectors of one space. Importing this loads no model."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol

from pydantic import Field

from daitir.compute import quiet_libraries
from daitir.options import Device, Dtype, Options, how, text_only

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from daitir.encoders.pixels import PixelReader


class EncoderSettings(Options):
    """What every encoder has: a model, and how it computes.

    With ``reduced_decode`` a JPEG is unpacked at a half, a quarter or an eighth of its size where that is
    not below the model's: several times faster, and features move a little.
    """

    model: str
    dtype: Dtype = "float32"
    reduced_decode: bool = False
    batch_size: int = how(64, ge=1)
    device: Device = how("auto")
    workers: int = how(2, ge=0)
    per_second: float | None = how(None, gt=0.0)  # texts or images a second, for estimates alone


class BlipOptions(EncoderSettings):
    """BLIP's retrieval encoder (BlipForImageTextRetrieval); a text is cut after ``max_tokens``, 256 in DAR.

    ``image_size``: pixels a side where they are not the model's own; its position embeddings are then
    interpolated. DAR takes the models of 384 pixels at 224.
    """

    kind: Literal["blip"]
    revision: str | None = None
    image_size: int | None = Field(None, ge=1)
    max_tokens: int = text_only(256, ge=4)


class ClipOptions(EncoderSettings):
    """CLIP (CLIPModel); without ``max_tokens`` a text is cut where the model ends (77 tokens)."""

    kind: Literal["clip"]
    revision: str | None = None
    max_tokens: int | None = text_only(None, ge=4)


class SiglipOptions(EncoderSettings):
    """SigLIP, and SigLIP 2 of a fixed resolution (both SiglipModel; the NaFlex models of SigLIP 2 are not).

    Without ``max_tokens`` a text is cut where the model ends (64 tokens).
    """

    kind: Literal["siglip"]
    revision: str | None = None
    max_tokens: int | None = text_only(None, ge=4)


class Beit3Options(EncoderSettings):
    """BEiT-3's dual encoder; ``model`` is a folder made by ``python -m daitir.convert beit3``.

    A text is cut after ``max_tokens``, 256 as in DMCL; the published retrieval models were tuned with 64.
    """

    kind: Literal["beit3"]
    max_tokens: int = text_only(256, ge=4)


EncoderOptions = Annotated[
    BlipOptions | ClipOptions | SiglipOptions | Beit3Options, Field(discriminator="kind")
]


class EncodedTexts(NamedTuple):
    """Features of texts (N x D float32, unit length) and which texts were cut to the limit (N)."""

    features: "np.ndarray"
    truncated: "np.ndarray"


class EncoderFacts(NamedTuple):
    """What an encoder is like: where it cuts a text, width of features, how images come in, its weights."""

    text_limit: int
    width: int
    preprocessing: str
    parameters: int


class Encoder(Protocol):
    """Turns texts and images into unit vectors of one space."""

    @property
    def facts(self) -> EncoderFacts:
        """Return what the encoder is like, for the record."""

    @property
    def halved(self) -> dict[str, Any]:
        """Return what the record says of batches that were halved for want of memory; else nothing."""

    def encode_texts(self, texts: list[str]) -> EncodedTexts:
        """Return features of texts."""

    def pixels(self, image: "Image") -> "np.ndarray":
        """Return an RGB image as the model takes it (C x H x W float32); threads may call this at once."""

    def read_pixels(self, data: bytes, source: str) -> "np.ndarray":
        """Return the pixels of an image file; ``source`` names it in errors."""

    @property
    def reader(self) -> "PixelReader":
        """Return what reads image files as the model takes them."""

    def encode_pixels(self, pixels: "Iterable[np.ndarray]") -> "np.ndarray":
        """Return features (N x D float32, unit length) of images prepared by ``pixels``."""

    def encode_images(self, images: "Iterable[Image]") -> "np.ndarray":
        """Return features (N x D float32, unit length) of RGB images."""


def load_encoder(options: EncoderOptions) -> Encoder:
    """Return the encoder of ``options``."""
    quiet_libraries("transformers")
    if isinstance(options, BlipOptions):
        from daitir.encoders.blip import BlipEncoder

        return BlipEncoder(options)
    if isinstance(options, ClipOptions):
        from daitir.encoders.clip import ClipEncoder

        return ClipEncoder(options)
    if isinstance(options, SiglipOptions):
        from daitir.encoders.siglip import SiglipEncoder

        return SiglipEncoder(options)
    from daitir.encoders.beit3 import Beit3Encoder

    return Beit3Encoder(options)
