"""Dialogues about a scene: a vague caption, then ten questions of who searches and answers of who sees."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from daitir.mini.language import SETTINGS, Known, enumerate_words, phrase, where
from daitir.mini.world import BACKGROUNDS, COLOURS, PLACES, SHAPES, Scene, Thing

ROUNDS = 10
STYLES = ("human", "llm", "repetitive")
REPEATED = 0.41  # share of the turns of the repetitive style that were said before

IDLE = (  # questions that tell nothing, short and long
    ("is it a photo?", "no", "is the picture a photo or a drawing?", "the picture is a drawing"),
    (
        "are there people?",
        "no",
        "are there any people in the picture?",
        "no, there are no people in the picture",
    ),
    (
        "how many things are there?",
        "three",
        "how many things are there in the picture?",
        "there are three things",
    ),
    ("is it in colour?", "yes", "is the picture in colour?", "yes, the picture is in colour"),
    ("is it pretty?", "yes", "would you say that the picture is pretty?", "yes, i would say so"),
    (
        "any animals?",
        "i see none",
        "are there any animals in the picture?",
        "no, i can not see any animals",
    ),
)

Answer = tuple[str, str, Known]
"""A question, its answer, and what is known then."""


@dataclass(frozen=True)
class Turn:
    """One text of a dialogue, and what is known after it."""

    text: str
    known: Known


def hold_dialogue(scene: Scene, rng: random.Random, style: str = "human") -> list[Turn]:
    """The caption and ten turns "question? answer" about ``scene`` in one of ``STYLES``."""
    turns = [caption(scene, rng)]
    while len(turns) <= ROUNDS:
        known = turns[-1].known
        if style == "repetitive" and len(turns) > 1 and rng.random() < REPEATED * (1 + 1 / (ROUNDS - 1)):
            turns.append(Turn(rng.choice(turns[1:]).text, known))
            continue
        said = {turn.text for turn in turns}
        while True:
            question, answer, after = ask(scene, known, rng, polite=style == "llm")
            if f"{question} {answer}" not in said:
                break
        turns.append(Turn(f"{question} {answer}", after))
    return turns


def caption(scene: Scene, rng: random.Random) -> Turn:
    """A true but vague first text: one or two things with few of their attributes."""
    seen = rng.sample(scene.things, rng.choice((1, 2, 2)))
    known = Known()
    for thing in seen:
        colour, size = rng.random() < 0.35, rng.random() < 0.15
        known = known.learn(
            thing.shape, colour=thing.colour if colour else None, size=thing.size if size else None
        )
    if rng.random() < 0.25:
        known = replace(known, background=scene.background)
    words = [phrase(thing) for thing in known.things]
    rest = ("another shape", "something else") if len(words) == 2 else ("two other shapes", "two more things")
    text = enumerate_words([*words, rng.choice(rest)]) if rng.random() < 0.6 else enumerate_words(words)
    return Turn(text + (f" {SETTINGS[known.background]}" if known.background else ""), known)


def ask(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer:
    """One question out of those that make sense now, with its true answer."""
    weights = {
        ask_shape: 3,
        ask_more: 2,
        ask_idle: 2.5,
        ask_colour: 2.5,
        ask_guess: 3,
        ask_place: 2,
        ask_side: 2.5,
        ask_size: 2,
        ask_setting: 1.6,
        ask_guessed_setting: 2,
    }
    kinds: list[Callable[..., Answer | None]] = list(weights)
    while True:
        kind = rng.choices(kinds, list(weights.values()))[0]
        if answer := kind(scene, known, rng, polite):
            return answer


def thing_of(scene: Scene, known: Known, rng: random.Random, attribute: str) -> Thing | None:
    """A thing that is known, but not this attribute of it."""
    shapes = [thing.shape for thing in known.things if getattr(thing, attribute) is None]
    shape = rng.choice(shapes) if shapes else None
    return next((thing for thing in scene.things if thing.shape == shape), None)


def ask_shape(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """Is there a heart? The answer to a shape that is there may tell its colour."""
    shapes = [shape for shape in SHAPES if shape not in (*known.shapes, *known.absent)]
    if len(known.things) == len(scene.things):
        return None
    shape = rng.choice(shapes)
    question = f"can you see a {shape} anywhere in the picture?" if polite else f"is there a {shape}?"
    for thing in scene.things:
        if thing.shape == shape:
            colour = thing.colour if rng.random() < 0.4 else None
            told = phrase(Thing(shape, colour))
            answer = f"yes, there is {told} in the picture" if polite else f"yes, {told}" if colour else "yes"
            return question, answer, known.learn(shape, colour=colour)
    answer = f"no, there is no {shape} in the picture" if polite else "no"
    return question, answer, replace(known, absent=(*known.absent, shape))


def ask_more(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """What else is there? One thing that was not yet mentioned."""
    hidden = [thing for thing in scene.things if thing.shape not in known.shapes]
    if not hidden:
        return None
    thing = rng.choice(hidden)
    colour = thing.colour if rng.random() < 0.5 else None
    told = phrase(Thing(thing.shape, colour))
    known = known.learn(thing.shape, colour=colour)
    if polite:
        return "could you tell me what else there is in the picture?", f"there is also {told}", known
    return rng.choice(("what else is there?", "anything else?", "what else do you see?")), told, known


def ask_idle(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """A question that tells nothing about this scene, as people do ask."""
    question, answer, long_question, long_answer = rng.choice(IDLE)
    return (long_question, long_answer, known) if polite else (question, answer, known)


def ask_colour(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """Ask what colour the star is."""
    if not (thing := thing_of(scene, known, rng, "colour")):
        return None
    known = known.learn(thing.shape, colour=thing.colour)
    if polite:
        return (
            f"what is the colour of the {thing.shape} in the picture?",
            f"the {thing.shape} is {thing.colour}",
            known,
        )
    return f"what colour is the {thing.shape}?", str(thing.colour), known


def ask_guess(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """Is the star red? Seldom right, and then it is known."""
    if not (thing := thing_of(scene, known, rng, "colour")):
        return None
    guess = rng.choice(tuple(COLOURS))
    right = guess == thing.colour
    known = known.learn(thing.shape, colour=guess) if right else known
    if polite:
        answer = f"yes, the {thing.shape} is {guess}" if right else f"no, the {thing.shape} is not {guess}"
        return f"would you say that the {thing.shape} is {guess}?", answer, known
    return f"is the {thing.shape} {guess}?", "yes" if right else "no", known


def ask_place(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """Ask where the star is."""
    if not (thing := thing_of(scene, known, rng, "place")):
        return None
    place = where(str(thing.place))
    known = known.learn(thing.shape, place=thing.place)
    if polite:
        return (
            f"where in the picture is the {thing.shape}?",
            f"the {thing.shape} is {place} of the picture",
            known,
        )
    return f"where is the {thing.shape}?", place, known


def ask_side(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """Is the star at the top left? Seldom right, and then it is known."""
    if not (thing := thing_of(scene, known, rng, "place")):
        return None
    guess = rng.choice(PLACES)
    right = guess == thing.place
    known = known.learn(thing.shape, place=guess) if right else known
    if polite:
        answer = (
            f"yes, the {thing.shape} is {where(guess)}"
            if right
            else f"no, the {thing.shape} is not {where(guess)}"
        )
        return f"would you say that the {thing.shape} is {where(guess)}?", answer, known
    return f"is the {thing.shape} {where(guess)}?", "yes" if right else "no", known


def ask_size(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """Is the star large? Either answer tells."""
    if not (thing := thing_of(scene, known, rng, "size")):
        return None
    guess = rng.choice(("small", "large"))
    known = known.learn(thing.shape, size=thing.size)
    if polite:
        question = f"is the {thing.shape} small or large?"
        return question, f"the {thing.shape} is {thing.size}", known
    return f"is the {thing.shape} {guess}?", "yes" if guess == thing.size else f"no, {thing.size}", known


def ask_setting(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """Ask for the background."""
    if known.background:
        return None
    setting = SETTINGS[scene.background]
    known = replace(known, background=scene.background)
    if polite:
        return "could you tell me where the things in the picture are?", f"the things are {setting}", known
    return rng.choice(("where is this?", "what is the background?")), setting, known


def ask_guessed_setting(scene: Scene, known: Known, rng: random.Random, polite: bool) -> Answer | None:
    """Is it at night? Seldom right, and then it is known."""
    if known.background:
        return None
    guess = rng.choice(tuple(BACKGROUNDS))
    right = guess == scene.background
    known = replace(known, background=guess) if right else known
    if polite:
        answer = f"yes, it is {SETTINGS[guess]}" if right else f"no, it is not {SETTINGS[guess]}"
        return f"would you say that it is {SETTINGS[guess]}?", answer, known
    return f"is it {SETTINGS[guess]}?", "yes" if right else "no", known
