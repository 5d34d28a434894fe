"""Picture-text pairs of the picture world: what mini-blip learns from.

Shape suffixes: B batch, C channels, H height, W width.
"""

import io
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from daitir.mini.language import Known, describe, part_of
from daitir.mini.talk import Turn, hold_dialogue
from daitir.mini.world import BACKGROUNDS, COLOURS, PLACES, SHAPES, SIZES, Scene, draw_album, render

ALBUM = 20
STYLES = {"human": 0.6, "llm": 0.2, "repetitive": 0.2}
VALUES = {"colour": tuple(COLOURS), "size": tuple(SIZES), "place": PLACES}
FACTS = (
    *(("background", "name", name) for name in BACKGROUNDS),
    *((shape, "shape", shape) for shape in SHAPES),
    *(
        (shape, attribute, value)
        for shape in SHAPES
        for attribute, values in VALUES.items()
        for value in values
    ),
)
WORDS = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")


@dataclass(frozen=True)
class Pictures:
    """Scenes in albums of ``ALBUM`` and their pixels, uint8, N x H x W x 3."""

    scenes: list[Scene]
    pixels: np.ndarray

    def sample(self, rng: random.Random, count: int) -> list[int]:
        """Positions of ``count`` pictures, each from another album."""
        return [
            album * ALBUM + rng.randrange(ALBUM)
            for album in rng.sample(range(len(self.scenes) // ALBUM), count)
        ]


def draw_pictures(seed: int, albums: int) -> Pictures:
    """Albums of the split on which models are trained."""
    rng = random.Random(f"pictures/{seed}")
    scenes = [scene for _ in range(albums) for scene in draw_album(rng, "models", ALBUM)]
    return Pictures(scenes, np.stack([np.asarray(render(scene, seed)) for scene in scenes]))


def draw_style(rng: random.Random) -> str:
    """A style of dialogue, by its share of the training."""
    return rng.choices(list(STYLES), weights=list(STYLES.values()))[0]


def draw_text(scene: Scene, rng: random.Random) -> tuple[str, Known]:
    """A text about a scene and what it says.

    Mostly what a user has told by a random round as one description, at times the dialogue itself, at times a
    description that tells more than dialogues do.
    """
    turns = hold_dialogue(scene, rng, draw_style(rng))
    turns = turns[: rng.randrange(len(turns)) + 1]
    if rng.random() < 0.15:
        return join_turns(turns), turns[-1].known
    known = part_of(scene, rng, rng.uniform(0.5, 1.0)) if rng.random() < 0.2 else turns[-1].known
    return describe(known, rng if rng.random() < 0.6 else None), known


def fact_vector(known: Known) -> list[float]:
    """One number for each of ``FACTS``: 1 for what is known."""
    facts = known.facts
    return [float(fact in facts) for fact in FACTS]


def cells(scene: Scene) -> list[tuple[int, int, int]]:
    """What stands at each place: 1 + position of its shape, positions of its colour and of its size.

    An empty place is (0, -100, -100): nothing, of no colour and size.
    """
    at = {thing.place: thing for thing in scene.things}
    kinds = [(*SHAPES,), (*COLOURS,), (*SIZES,)]
    return [
        (
            1 + kinds[0].index(at[place].shape),
            kinds[1].index(str(at[place].colour)),
            kinds[2].index(str(at[place].size)),
        )
        if place in at
        else (0, -100, -100)
        for place in PLACES
    ]


def join_turns(turns: Sequence[Turn]) -> str:
    """The dialogue as it is, as one text."""
    return ", ".join(turn.text for turn in turns)


def vocabulary(texts: Iterable[str]) -> list[str]:
    """The words and signs of ``texts``, sorted."""
    return sorted({word for text in texts for word in WORDS.findall(text.lower())})


def sample_texts(count: int, seed: int = 0) -> Iterator[str]:
    """Dialogues and descriptions in every style and phrasing."""
    rng = random.Random(f"texts/{seed}")
    for i in range(count):
        scene = draw_album(rng, "models", 1)[0]
        turns = hold_dialogue(scene, rng, list(STYLES)[i % len(STYLES)])
        yield join_turns(turns)
        yield describe(turns[-1].known)
        yield describe(turns[-1].known, rng)


def forget_words(text: str, rng: random.Random, share: float = 0.02) -> str:
    """``text`` with a few words made unknown, so that strange words do no harm."""
    return " ".join(word if rng.random() > share else "[UNK]" for word in text.split(" "))


def degrade(pixels_BHWC: np.ndarray, rng: random.Random) -> Tensor:
    """Half of the pictures a little blurred, noisy and shifted in shade, a tenth badly compressed.

    Returns floats in 0..1, B x C x H x W; noise comes from torch's own generator.
    """
    compressed_BHWC = np.stack(
        [compress(picture, rng) if rng.random() < 0.1 else picture for picture in pixels_BHWC]
    )
    images_BCHW = torch.from_numpy(compressed_BHWC).permute(0, 3, 1, 2).float() / 255
    count = len(images_BCHW)
    touched_B111 = (torch.rand(count, 1, 1, 1) < 0.5).float()
    blurred_BCHW = F.avg_pool2d(F.pad(images_BCHW, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    images_BCHW = torch.lerp(images_BCHW, blurred_BCHW, torch.rand(count, 1, 1, 1) * touched_B111)
    shift_BC11 = torch.randn(count, 3, 1, 1) * 0.02
    noise_BCHW = torch.randn_like(images_BCHW) * torch.rand(count, 1, 1, 1) * 0.06
    return (images_BCHW + touched_B111 * (shift_BC11 + noise_BCHW)).clamp(0, 1)


def compress(picture: np.ndarray, rng: random.Random) -> np.ndarray:
    """``picture`` after JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=rng.randrange(40, 90))
    return np.asarray(Image.open(buffer))
