"""Dialogues: true, vague at first, and in their style."""

import random
from itertools import pairwise

import pytest

from daitir.mini.language import all_of
from daitir.mini.talk import REPEATED, STYLES, hold_dialogue
from daitir.mini.world import draw_scene


def dialogues(style, count=60):
    rng = random.Random(style)
    for _ in range(count):
        scene = draw_scene(rng, "val")
        yield scene, hold_dialogue(scene, rng, style)


@pytest.mark.parametrize("style", STYLES)
def test_dialogue_is_true_and_forgets_nothing(style):
    """What is known grows and is always a part of the scene."""
    for scene, turns in dialogues(style):
        facts = [turn.known.facts for turn in turns]
        assert all(before <= after for before, after in pairwise(facts))
        assert facts[-1] <= all_of(scene).facts
        assert not set(turns[-1].known.absent) & {thing.shape for thing in scene.things}


@pytest.mark.parametrize("style", STYLES)
def test_dialogue_is_a_caption_and_ten_answers(style):
    """Each turn after the caption is one question with its answer."""
    for _, turns in dialogues(style, 20):
        assert len(turns) == 11
        assert "?" not in turns[0].text
        assert all(turn.text.count("? ") == 1 for turn in turns[1:])


def test_little_is_known_at_first_and_not_all_in_the_end():
    """Of thirteen facts a caption tells a few; ten human answers leave some untold."""
    first, last = zip(
        *((len(turns[0].known.facts), len(turns[-1].known.facts)) for _, turns in dialogues("human")),
        strict=True,
    )
    assert sum(first) / len(first) < 4
    assert 8 < sum(last) / len(last) < 12


def test_repetitive_style_repeats():
    """The share of turns said before is that of FLAN; the other styles never repeat themselves."""
    for style, share in (("repetitive", REPEATED), ("human", 0), ("llm", 0)):
        repeated = total = 0
        for _, turns in dialogues(style, 150):
            texts = [turn.text for turn in turns[1:]]
            repeated += len(texts) - len(set(texts))
            total += len(texts)
        assert repeated / total == pytest.approx(share, abs=0.04)


def test_vocabulary_is_small():
    """The small models can know every word."""
    words = {
        word.strip(",?")
        for style in STYLES
        for _, turns in dialogues(style)
        for turn in turns
        for word in turn.text.split()
    }
    assert len(words) < 250
    assert all(word == word.lower() for word in words)
