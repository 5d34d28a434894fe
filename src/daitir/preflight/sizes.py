"""Bytes of what a run stores: pictures by their format and size, features by their width."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from daitir.options import Options

ReadJson = Callable[[str], Any]
# Bytes a pixel by format and quality: matplotlib's sample photograph grace_hopper.jpg (512 x 600) as Pillow
# stores it, halfway to the same at 256 x 300, where a pixel holds more. Pictures of other things differ by a
# factor of two either way: COCO's photographs (19 GB for 123,287 JPEGs of some 640 x 480) have 0.5.
PNG = 1.6
BY_QUALITY = {
    "jpg": {50: 0.11, 75: 0.19, 85: 0.24, 90: 0.30, 95: 0.42, 100: 0.73},
    "webp": {50: 0.08, 75: 0.12, 85: 0.20, 90: 0.26, 95: 0.36, 100: 0.47},
}
RECORD = 2_560  # a picture's two tar headers and its JSON record, padded to 512 bytes each
# Where a model's config says how wide its features are, and the default of transformers where it does not.
WIDTHS: dict[str, tuple[tuple[str, ...], int]] = {
    "blip": (("image_text_hidden_size",), 256),
    "clip": (("projection_dim",), 512),
    "siglip": (("vision_config", "hidden_size"), 768),
    "beit3": (("width",), 768),
}


def feature_width(encoder: Options, read: ReadJson) -> int | None:
    """Return how many numbers a feature has; None where the model's config is not to be had."""
    config = read("config.json")
    path, default = WIDTHS.get(getattr(encoder, "kind", ""), ((), 0))
    if not isinstance(config, dict) or not path:
        return None
    for key in path:
        config = config.get(key, default) if isinstance(config, dict) else default
    return int(config)


def feature_bytes(rows: int, width: int) -> int:
    """Return the bytes of float32 features."""
    return rows * width * 4


def picture_bytes(generator: Any, read: ReadJson) -> int | None:
    """Return the bytes of a picture with its record; None where the pipeline's own size is not known.

    Published pictures are read in place: only their record is stored.
    """
    if not hasattr(generator, "format"):
        return RECORD
    own = None if generator.height and generator.width else pipeline_size(read)
    height, width = generator.height or own, generator.width or own
    if height is None or width is None:
        return None
    if generator.stored_size is not None:
        share = min(1.0, generator.stored_size / max(height, width))
        height, width = round(height * share), round(width * share)
    return round(height * width * bytes_a_pixel(generator.format, generator.quality)) + RECORD


def bytes_a_pixel(format_: str, quality: int) -> float:
    """Return the bytes a pixel of a stored photograph, between the measured qualities on a line."""
    if format_ == "png":
        return PNG
    known = sorted(BY_QUALITY[format_].items())
    if quality <= known[0][0]:
        return known[0][1]
    (low, small), (high, large) = next(pair for pair in pairwise(known) if quality <= pair[1][0])
    return small + (large - small) * (quality - low) / (high - low)


def pipeline_size(read: ReadJson) -> int | None:
    """Return the pixels a side that a pipeline draws by itself: its latent's, times its decoder's factor."""
    drawn, decoder = read("transformer/config.json") or read("unet/config.json"), read("vae/config.json")
    if not isinstance(drawn, dict) or not isinstance(decoder, dict):
        return None
    latent = drawn.get("sample_size")
    blocks = decoder.get("block_out_channels") or decoder.get("encoder_block_out_channels")
    return latent * 2 ** (len(blocks) - 1) if isinstance(latent, int) and blocks else None
