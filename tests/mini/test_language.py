"""What is known of a scene, in words and back."""

import random

import pytest

from daitir.mini.language import Known, all_of, describe, parse, part_of, prompt
from daitir.mini.world import Scene, Thing, draw_scene

KNOWN = Known(
    "snow", (Thing("star", "red", "large", "top left"), Thing("circle", "blue"), Thing("square")), ("heart",)
)


def test_description_is_canonical():
    """What is unknown is left out, and so is what is absent."""
    assert describe(KNOWN) == "a large red star at the top left, a blue circle and a square, in the snow"


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (Known(), "a picture"),
        (Known("night"), "at night"),
        (Known(None, (Thing("ring", "orange"),)), "an orange ring"),
        (Known(None, (Thing("ring", None, None, "middle"),)), "a ring in the middle"),
    ],
)
def test_description_of_little(known, text):
    """A description needs no thing, no attribute and no background."""
    assert describe(known) == text


@pytest.mark.parametrize(
    ("k", "text"),
    [
        (1, "vivid large red star top left in the snow, blue circle, square. Style: photorealistic."),
        (2, "bright blue circle in the snow, square and big red star at top left. Style: photorealistic."),
        (3, "clear square in the snow, large red star at the top left, blue circle. Style: photorealistic."),
    ],
)
def test_prompts_differ_in_subject_and_wording(k, text):
    """Each prompt begins with another thing."""
    assert prompt(KNOWN, k) == text


def test_prompt_without_details():
    """One thing and nothing else still makes a prompt."""
    assert prompt(Known(None, (Thing("moon"),)), 2) == "bright moon. Style: photorealistic."
    assert prompt(Known(), 1) == "vivid picture. Style: photorealistic."


def test_words_say_what_is_known():
    """Any description and any prompt can be read back without loss."""
    rng = random.Random(0)
    for _ in range(100):
        known = part_of(draw_scene(rng, "val"), rng, 0.6)
        texts = [describe(known), describe(known, rng), *(prompt(known, k) for k in (1, 2, 3))]
        assert {parse(text).facts for text in texts} == {known.facts}


def test_learning_keeps_the_order_of_first_mention():
    """A thing that is learnt about again stays where it is."""
    known = Known().learn("star").learn("ring", colour="red").learn("star", place="top")
    assert known.things == (Thing("star", place="top"), Thing("ring", "red"))
    assert known.of("moon") == Thing("moon")


def test_all_is_thirteen_facts():
    """Three things of four facts each, and the background."""
    scene: Scene = draw_scene(random.Random(1), "val")
    assert len(all_of(scene).facts) == 13
