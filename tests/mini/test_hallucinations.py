"""What a picture invents."""

from dataclasses import replace

import pytest

from daitir.mini.hallucinations import share_true
from daitir.mini.world import Scene, Thing, render

STAR = Thing("star", "red", "large", "top left")
SCENE = Scene("night", (STAR, Thing("ring", "white", "small", "middle")))


@pytest.mark.parametrize(
    ("things", "share"),
    [
        (SCENE.things, 1),
        ((replace(STAR, colour="green"), SCENE.things[1]), 8 / 9),  # of a background and two things of four
        ((STAR,), 1),  # what is left out is not invented
        ((), 1),
    ],
)
def test_only_what_is_shown_and_wrong_is_invented(things, share):
    """The share of a picture's facts that hold in its target."""
    assert share_true(render(replace(SCENE, things=things)), render(SCENE)) == pytest.approx(share)
