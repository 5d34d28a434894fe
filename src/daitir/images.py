"""Decoding of images; a file that is missing, damaged or absurdly large is refused by its name."""

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from struct import error as StructError
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps

from daitir.errors import DaitirError

Item = TypeVar("Item")
Result = TypeVar("Result")
WHITE_OF_16_BITS = 65_535
LONGEST = 200  # characters of a decoder's own words
MOST_PIXELS = 100_000_000  # far above any camera's picture, far below what fills the memory
# Whatever its name, a file is read as one of these: PIL knows fifty more, and hands some to other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
UPRIGHT = 1  # EXIF's number


def decode_image(data: bytes, source: str, near: int | None = None) -> Image.Image:
    """Return the RGB image in ``data`` as one sees it: upright, on white where it is transparent.

    ``source`` names it in errors. A JPEG may come smaller, not below ``near`` pixels a side: that is fast. Of
    what moves the first picture is taken. The size is looked at before a pixel is unpacked.
    """
    try:
        return _decoded(data, source, near)
    except DaitirError:
        raise
    except Image.UnidentifiedImageError:
        raise DaitirError(f"{source} is not an image that can be read: replace or remove it") from None
    except Exception as error:
        # A decoder may raise whatever it likes on damaged bytes, MemoryError and IndexError among it.
        said = " ".join(str(error).split())[:LONGEST] or type(error).__name__
        raise DaitirError(f"{source} is damaged or cut short ({said}): fetch it again or remove it") from None


def _decoded(data: bytes, source: str, near: int | None) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise DaitirError(f"{source} is absurdly large: replace or remove it") from None
    if image.width * image.height > MOST_PIXELS:
        raise DaitirError(
            f"{source} is absurdly large ({image.width} x {image.height} pixels): replace or remove it"
        )
    if near is not None:
        image.draft("RGB", (near, near))
    image.load()
    return _upright(_in_rgb(image, source), _orientation(image))


def _in_rgb(image: Image.Image, source: str) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        image = _in_8_bits(image, source)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")


def _in_8_bits(image: Image.Image, source: str) -> Image.Image:
    """Return grey values of 16 bits in 8; PIL would cut all above 255 to white."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode == "F" or low < 0 or high > WHITE_OF_16_BITS:
        raise DaitirError(
            f"{source} has grey values from {low} to {high}, of which nobody knows what is white: convert it"
            " to 8 or 16 bits"
        )
    return Image.fromarray((values.astype(np.float64) * (255 / WHITE_OF_16_BITS)).round().astype(np.uint8))


def _orientation(image: Image.Image) -> int:
    """Return how a camera was held, in EXIF's numbers; 1, upright, where no EXIF can be read."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except (SyntaxError, ValueError, TypeError, EOFError, StructError):
        return UPRIGHT


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    # Of the EXIF no more is left than what is needed: the rest may be damaged.
    image.info.clear()
    if orientation == UPRIGHT:
        return image
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(image)


def in_threads(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield ``function`` of each item in order; threads are a little ahead; 0: in this thread."""
    if workers == 0:
        yield from map(function, items)
        return
    source = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        try:
            waiting: list[Future[Result]] = [
                pool.submit(function, item) for item in islice(source, 16 * workers)
            ]
            while waiting:
                result = waiting.pop(0).result()
                waiting.extend(pool.submit(function, item) for item in islice(source, 1))
                yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
