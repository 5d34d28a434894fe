"""Image files as a model takes them: decoded, and brought to its size and colours.

Shape suffixes: B batch, C channels, H height, W width.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from daitir.images import decode_image

PIXELS_AT_ONCE = 2**18  # above this no time is won


@dataclass(frozen=True)
class PixelReader:
    """Reads image files for one model; it holds no network, so that other processes can have it.

    ``pixels_of`` turns RGB images into what the model takes (B x C x H x W float32), each the same alone and
    among others. ``near``: pixels a side, below which no JPEG is unpacked smaller than it is; None: as it is.
    """

    pixels_of: Callable[[list[Image.Image]], np.ndarray]
    near: int | None

    def read(self, files: Iterable[tuple[bytes, str]]) -> list[np.ndarray]:
        """Return the pixels (C x H x W float32) of some files, each with its name for errors."""
        images = (decode_image(data, source, self.near) for data, source in files)
        return [row for portion in _portions(images) for row in self.pixels_of(portion)]


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
