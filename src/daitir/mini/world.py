"""The picture world: scenes of three things before a background, 48 pixels wide, drawn from their names."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from PIL import Image, ImageDraw

SIDE = 48
CELL = 16
SUPERSAMPLING = 4
JITTER = 1.0

SHAPES = ("circle", "square", "triangle", "star", "heart", "cross", "ring", "moon")
SIZES = {"small": 3.9, "large": 6.9}  # radius in pixels
COLOURS = {
    "red": (214, 38, 48),
    "orange": (244, 138, 26),
    "yellow": (250, 218, 48),
    "green": (36, 150, 74),
    "blue": (38, 88, 214),
    "purple": (138, 56, 186),
    "black": (24, 24, 30),
    "white": (252, 252, 252),
}
PLACES = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")
BACKGROUNDS = {  # colour at the top and at the bottom of the picture
    "sky": ((140, 190, 226), (180, 216, 238)),
    "meadow": ((176, 208, 148), (146, 186, 122)),
    "sand": ((232, 212, 170), (216, 190, 144)),
    "night": ((38, 44, 78), (58, 66, 106)),
    "snow": ((238, 242, 248), (214, 222, 234)),
    "dusk": ((192, 146, 178), (224, 168, 160)),
}
# A thing never wears the colour of its background.
HIDDEN = {
    "sky": "blue",
    "meadow": "green",
    "sand": "yellow",
    "night": "black",
    "snow": "white",
    "dusk": "purple",
}
SPLITS = {"models": 80, "train": 10, "val": 10}  # shares in per cent


@dataclass(frozen=True)
class Thing:
    """One thing of a scene; its shape is its name. In what is known of a scene the rest may be None."""

    shape: str
    colour: str | None = None
    size: str | None = None
    place: str | None = None

    @property
    def name(self) -> str:
        """All of its attributes in words."""
        return " ".join(str(value) for value in (self.size, self.colour, self.shape, self.place))


@dataclass(frozen=True)
class Scene:
    """Three things of different shapes at different places before one background."""

    background: str
    things: tuple[Thing, ...]

    @property
    def name(self) -> str:
        """The same for every order of the things."""
        return "; ".join([self.background, *sorted(thing.name for thing in self.things)])


def split_of(scene: Scene) -> str:
    """The split a scene belongs to: a property of its name, so that splits never overlap."""
    share = int.from_bytes(blake2b(scene.name.encode(), digest_size=8).digest()) % 100
    for split, width in SPLITS.items():
        if share < width:
            return split
        share -= width
    raise AssertionError("the shares of the splits sum to 100")


def draw_scene(rng: random.Random, split: str) -> Scene:
    """A scene of ``split``, all of its scenes alike probable."""
    while True:
        background = rng.choice(tuple(BACKGROUNDS))
        shapes, places = rng.sample(SHAPES, 3), rng.sample(PLACES, 3)
        things = (
            Thing(shape, rng.choice(colours_on(background)), rng.choice(tuple(SIZES)), place)
            for shape, place in zip(shapes, places, strict=True)
        )
        scene = Scene(background, tuple(things))
        if split_of(scene) == split:
            return scene


def colours_on(background: str) -> tuple[str, ...]:
    """The colours that a thing may wear before ``background``."""
    return tuple(colour for colour in COLOURS if colour != HIDDEN[background])


def draw_album(rng: random.Random, split: str, size: int, change: float = 0.35) -> list[Scene]:
    """``size`` different scenes that resemble each other, as the pictures of one photo album do."""
    seed = draw_scene(rng, split)
    album = {seed.name: seed}
    while len(album) < size:
        scene = vary_scene(seed, rng, change)
        if split_of(scene) == split:
            album.setdefault(scene.name, scene)
    return list(album.values())


def vary_scene(scene: Scene, rng: random.Random, change: float) -> Scene:
    """``scene`` with each of its attributes drawn anew with probability ``change``."""
    background = rng.choice(tuple(BACKGROUNDS)) if rng.random() < change else scene.background
    things = list(scene.things)
    for i, thing in enumerate(things):
        others = things[:i] + things[i + 1 :]
        free_shapes = [shape for shape in SHAPES if shape not in {other.shape for other in others}]
        free_places = [place for place in PLACES if place not in {other.place for other in others}]
        recolour = rng.random() < change or thing.colour == HIDDEN[background]
        things[i] = replace(
            thing,
            shape=rng.choice(free_shapes) if rng.random() < change else thing.shape,
            colour=rng.choice(colours_on(background)) if recolour else thing.colour,
            size=rng.choice(tuple(SIZES)) if rng.random() < change else thing.size,
            place=rng.choice(free_places) if rng.random() < change else thing.place,
        )
    return Scene(background, tuple(things))


def render(scene: Scene, seed: int = 0) -> Image.Image:
    """The picture of ``scene``; ``seed`` moves its things by a pixel at most and shifts its shades."""
    rng = random.Random(f"{seed}/{scene.name}")
    pixels = background_pixels(scene.background) + rng.uniform(-5, 5)
    for thing in sorted(scene.things, key=lambda thing: thing.name):
        x, y = cell_centre(str(thing.place))
        radius = SIZES[str(thing.size)] * rng.uniform(0.94, 1.0)
        mask = shape_mask(
            thing.shape, x + rng.uniform(-JITTER, JITTER), y + rng.uniform(-JITTER, JITTER), radius, SIDE
        )
        colour = np.array(COLOURS[str(thing.colour)]) + rng.uniform(-8, 8)
        pixels = pixels + mask[:, :, None] * (colour - pixels)
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def background_pixels(background: str) -> np.ndarray:
    """Height x width x 3 floats: a soft gradient from top to bottom."""
    top, bottom = (np.array(colour, dtype=np.float64) for colour in BACKGROUNDS[background])
    down = np.linspace(0, 1, SIDE)[:, None, None]
    return np.broadcast_to(top + down * (bottom - top), (SIDE, SIDE, 3))


def cell_centre(place: str) -> tuple[float, float]:
    """(x, y) in pixels of the middle of a place."""
    row, column = divmod(PLACES.index(place), 3)
    return (column + 0.5) * CELL, (row + 0.5) * CELL


def shape_mask(shape: str, x: float, y: float, radius: float, side: int) -> np.ndarray:
    """Coverage (0 to 1) of each pixel of a ``side`` px square by ``shape`` around (x, y)."""
    canvas = Image.new("L", (side * SUPERSAMPLING, side * SUPERSAMPLING))
    draw = ImageDraw.Draw(canvas)
    for ink, outline in outlines(shape):
        points = [
            ((x + radius * dx) * SUPERSAMPLING, (y + radius * dy) * SUPERSAMPLING) for dx, dy in outline
        ]
        draw.polygon(points, fill=ink)
    return np.asarray(canvas.resize((side, side), Image.Resampling.BOX), dtype=np.float64) / 255


@lru_cache
def outlines(shape: str) -> tuple[tuple[int, tuple[tuple[float, float], ...]], ...]:
    """(ink, outline) of each layer of ``shape`` in a circle of radius 1, y points down; ink 0 cuts a hole."""
    match shape:
        case "circle":
            return ((255, disc(0, 0, 0.96)),)
        case "square":
            return ((255, ((-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84))),)
        case "triangle":
            return ((255, ((0, -0.95), (0.98, 0.8), (-0.98, 0.8))),)
        case "star":
            return ((255, tuple(star())),)
        case "heart":
            return ((255, tuple(heart())),)
        case "cross":
            a, b = 0.32, 0.95
            corners = (
                (-a, -b),
                (a, -b),
                (a, -a),
                (b, -a),
                (b, a),
                (a, a),
                (a, b),
                (-a, b),
                (-a, a),
                (-b, a),
                (-b, -a),
                (-a, -a),
            )
            return ((255, corners),)
        case "ring":
            return ((255, disc(0, 0, 1)), (0, disc(0, 0, 0.54)))
        case "moon":
            return ((255, disc(0, 0, 1)), (0, disc(0.45, -0.2, 0.85)))
    raise ValueError(f"there is no shape {shape!r}")


def disc(x: float, y: float, radius: float, corners: int = 48) -> tuple[tuple[float, float], ...]:
    """A circle as a polygon."""
    angles = [2 * math.pi * i / corners for i in range(corners)]
    return tuple((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles)


def star() -> Iterator[tuple[float, float]]:
    """Five long corners, five short ones."""
    for i in range(10):
        radius = 1.08 if i % 2 == 0 else 0.44
        yield radius * math.sin(i * math.pi / 5), 0.06 - radius * math.cos(i * math.pi / 5)


def heart() -> Iterator[tuple[float, float]]:
    """The well-known curve, brought into the circle."""
    for i in range(48):
        t = 2 * math.pi * i / 48
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        yield x / 16.5, -(y + 2) / 15.5
