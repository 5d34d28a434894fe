"""The picture world: its scenes, its splits, and that what it draws can be read back."""

import random
from collections import Counter

import numpy as np
import pytest

from daitir.mini.reading import read_scene
from daitir.mini.world import (
    BACKGROUNDS,
    HIDDEN,
    SHAPES,
    SPLITS,
    Scene,
    Thing,
    draw_album,
    draw_scene,
    render,
    shape_mask,
    split_of,
    vary_scene,
)

STAR = Thing("star", "red", "large", "top left")
RING = Thing("ring", "blue", "small", "middle")
MOON = Thing("moon", "white", "large", "bottom")


def facts(scene: Scene) -> set[tuple[str, ...]]:
    things = {
        (thing.shape, name, str(getattr(thing, name)))
        for thing in scene.things
        for name in ("colour", "size", "place")
    }
    return things | {("background", scene.background)}


def test_name_does_not_depend_on_order():
    """A scene is the set of its things."""
    assert Scene("sky", (STAR, RING, MOON)).name == Scene("sky", (MOON, STAR, RING)).name


def test_splits_have_their_shares():
    """Eight scenes in ten are for models, one for training and one for evaluation."""
    rng = random.Random(0)
    scenes = [vary_scene(Scene("sky", (STAR, RING, MOON)), rng, change=1) for _ in range(1000)]
    counts = Counter(split_of(scene) for scene in scenes)
    assert sum(SPLITS.values()) == 100
    assert {split: counts[split] / 10 for split in SPLITS} == pytest.approx(SPLITS, abs=4)


@pytest.mark.parametrize("split", SPLITS)
def test_drawn_scenes_are_of_their_split(split):
    """Shapes and places of a scene are distinct, and nothing hides in its background."""
    rng = random.Random(split)
    for scene in [draw_scene(rng, split) for _ in range(20)] + draw_album(rng, split, 20):
        assert split_of(scene) == split
        assert (
            len({thing.shape for thing in scene.things}) == len({thing.place for thing in scene.things}) == 3
        )
        assert HIDDEN[scene.background] not in {thing.colour for thing in scene.things}


def test_album_mates_share_more_than_strangers():
    """Two pictures of an album have more in common than two drawn apart."""
    rng = random.Random(1)
    album = [facts(scene) for scene in draw_album(rng, "val", 20)]
    strangers = [facts(draw_scene(rng, "val")) for _ in range(20)]

    def shared(scenes):
        return np.mean([len(a & b) for i, a in enumerate(scenes) for b in scenes[:i]])

    assert len({frozenset(scene) for scene in album}) == 20
    assert shared(album) > 2 * shared(strangers)


def test_render_is_the_same_for_the_same_seed():
    """A seed moves things a little; the same seed gives the same bytes."""
    scene = Scene("dusk", (STAR, RING, MOON))
    assert render(scene, 3).tobytes() == render(scene, 3).tobytes()
    assert render(scene, 3).tobytes() != render(scene, 4).tobytes()
    assert render(scene).size == (48, 48)


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_stays_in_its_circle(shape):
    """A shape covers a part of its cell and does not reach over its border."""
    mask = shape_mask(shape, 8, 8, 6.9, 16)
    assert 30 < mask.sum() < 160
    assert shape_mask(shape, 16, 16, 6.9, 32)[:8].sum() == 0


def test_renders_are_read_back():
    """Of the attributes of true pictures 99 in 100 are read right."""
    rng = random.Random(2)
    right = total = 0
    for seed in range(60):
        scene = draw_scene(rng, "val")
        wanted = facts(scene)
        right += len(wanted & facts(read_scene(render(scene, seed))))
        total += len(wanted)
    assert right / total >= 0.99


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_empty_background_shows_nothing(background):
    """Where nothing is drawn nothing is read, at any size of the picture."""
    picture = render(Scene(background, ()), 1)
    assert read_scene(picture.resize((96, 96))) == Scene(background, ())
