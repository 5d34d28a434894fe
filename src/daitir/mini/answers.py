"""The world's own answers: who sees a picture reads its scene and answers in the words of ``talk``."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from PIL.Image import Image

from daitir.errors import DaitirError
from daitir.mini import talk
from daitir.mini.language import HORIZONTAL, SETTINGS, SIZE_OF_WORD, VERTICAL, joined_place, phrase, where
from daitir.mini.reading import read_scene
from daitir.mini.world import BACKGROUNDS, COLOURS, SHAPES, Scene, Thing

MORE = ("what else is there?", "anything else?", "what else do you see?")
UNREAD = "i can not tell"
ASKED_FOR = {"there", "see", "any"}  # words of a question whether a thing is in the picture
THINGS, FEWEST = 3, 2  # in a picture, and of them seen
IDLE = {question: answer for short in talk.IDLE for question, answer in (short[:2], short[2:])}


class WorldAnswerer:
    """Answers questions about pictures of the world truly, as far as ``reading`` reads them."""

    def caption(self, images: Sequence[Image]) -> list[str]:
        """A vague caption of each picture, the same whenever it is asked for."""
        return [caption(scene_in(image)).text for image in images]

    def answer(self, images: Sequence[Image], questions: Sequence[str]) -> list[str]:
        """The answer to one question about each picture."""
        return [reply(scene_in(image), question) for image, question in zip(images, questions, strict=True)]


def scene_in(image: Image) -> Scene:
    """The scene of a picture; of one picture in a thousand a thing that hardly shows is not seen."""
    scene = read_scene(image)
    if len({thing.shape for thing in scene.things}) < FEWEST:
        raise DaitirError(
            f"it shows {len(scene.things)} things that can be told apart, a picture of mini {THINGS}: give"
            " this answerer pictures of mini, or choose another answerer"
        )
    return scene


def caption(scene: Scene) -> talk.Turn:
    """The caption of a scene: drawn by its name, whatever the order of its things."""
    things = sorted(scene.things, key=lambda thing: thing.name)
    return talk.caption(replace(scene, things=tuple(things)), random.Random(f"caption/{scene.name}"))


def reply(scene: Scene, question: str) -> str:
    """The true answer to a question, short as people answer; ``UNREAD`` where the question is not read."""
    question = " ".join(question.lower().split())
    if question in IDLE:
        return IDLE[question]
    words = re.findall(r"[a-z]+", question)
    if question in MORE or "else" in words:
        return tell_more(scene, question)
    shapes = sorted({word for word in words if word in SHAPES})
    if not shapes:
        return tell_setting(scene, words)
    if len(shapes) > 1:
        return UNREAD
    thing = next((thing for thing in scene.things if thing.shape == shapes[0]), None)
    if thing is None:
        return "no" if ASKED_FOR & set(words) else f"there is no {shapes[0]}"
    return tell_thing(thing, words)


def tell_more(scene: Scene, question: str) -> str:
    """One thing that the caption left out; each way to ask names another one where two are left."""
    said = caption(scene).known.shapes
    hidden = sorted(
        (thing for thing in scene.things if thing.shape not in said), key=lambda thing: thing.name
    )
    if not hidden:
        return "nothing"
    place = MORE.index(question) if question in MORE else 0
    return phrase(Thing(hidden[place % len(hidden)].shape))


def tell_setting(scene: Scene, words: list[str]) -> str:
    """The background, or whether it is the one guessed."""
    guess = next((word for word in words if word in BACKGROUNDS), None)
    if guess is not None:
        return "yes" if guess == scene.background else "no"
    if {"where", "background"} & set(words):
        return SETTINGS[scene.background]
    return UNREAD


def tell_thing(thing: Thing, words: list[str]) -> str:
    """What is asked of a thing that is there: an attribute, or whether all that is guessed of it is so."""
    place = None
    for word in words:
        place = joined_place(place, word) if word in (*VERTICAL, *HORIZONTAL, "middle") else place
    sizes = {SIZE_OF_WORD[word] for word in words if word in SIZE_OF_WORD}
    colours = {word for word in words if word in COLOURS}
    guesses = {*sizes, *colours} | ({place} if place else set())
    if "colour" in words:
        return str(thing.colour)
    if "where" in words:
        return where(str(thing.place))
    if len(sizes) == 2 or "size" in words:
        return str(thing.size)
    if guesses <= {thing.size, thing.colour, thing.place} and (guesses or ASKED_FOR & set(words)):
        return "yes"
    return (f"no, {thing.size}" if guesses == sizes else "no") if guesses else UNREAD
