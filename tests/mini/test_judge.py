"""The judge of mini-sd3: true pictures get full marks, wrong ones lose exactly what is wrong."""

from dataclasses import replace

import pytest

from daitir.mini.judge import Drawing, ask_for, contact_sheet, judge_by_reading
from daitir.mini.language import all_of, parse
from daitir.mini.world import Scene, Thing, render, split_of

SCENE = Scene(
    "night",
    (
        Thing("star", "red", "large", "top left"),
        Thing("ring", "white", "small", "middle"),
        Thing("moon", "yellow", "large", "bottom"),
    ),
)


def drawing_of(scene):
    return Drawing(all_of(SCENE), "", render(scene))


def test_true_picture_has_all_right():
    """The reader finds each fact of a true picture."""
    assert set(judge_by_reading([drawing_of(SCENE)]).values()) == {1.0}


@pytest.mark.parametrize(("attribute", "value"), [("colour", "green"), ("size", "small"), ("place", "right")])
def test_wrong_attribute_costs_its_share(attribute, value):
    """One of three things is wrong: two thirds of that attribute are right, the whole prompt is not."""
    wrong = replace(SCENE, things=(replace(SCENE.things[0], **{attribute: value}), *SCENE.things[1:]))
    shares = judge_by_reading([drawing_of(wrong)])
    assert {kind for kind, share in shares.items() if share < 1} == {attribute, "whole prompt"}
    assert shares[attribute] == 0.667
    assert shares["whole prompt"] == 0


def test_wrong_shape_costs_all_that_was_said_of_it():
    """The attributes of a thing that is not there cannot be right."""
    wrong = replace(SCENE, things=(replace(SCENE.things[0], shape="heart"), *SCENE.things[1:]))
    shares = judge_by_reading([drawing_of(wrong)])
    assert [shares[kind] for kind in ("shape", "colour", "size", "place")] == [0.667] * 4
    assert shares["background"] == 1


@pytest.mark.parametrize("round_", [None, 0, 5])
def test_prompts_say_what_is_asked_of_the_picture(round_):
    """Each prompt says no more and no less than what its picture is judged by."""
    for known, text in ask_for(10, round_):
        assert parse(text).facts == known.facts
        if round_ is None:
            assert split_of(Scene(known.background, known.things)) == "val"


def test_contact_sheet_has_a_cell_for_each_drawing():
    """Five pictures in rows of four need two rows."""
    one, five = (contact_sheet([drawing_of(SCENE)] * count).size for count in (1, 5))
    assert five == (one[0], 2 * one[1])
