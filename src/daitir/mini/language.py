"""The words of the picture world: what is known of a scene as a caption or as an image prompt, and back."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from typing import Any

from daitir.mini.world import BACKGROUNDS, COLOURS, SHAPES, Scene, Thing

SETTINGS = {
    "sky": "in the sky",
    "meadow": "in a meadow",
    "sand": "on the sand",
    "night": "at night",
    "snow": "in the snow",
    "dusk": "at dusk",
}
ADJECTIVES = ("vivid", "bright", "clear")
STYLE = "Style: photorealistic."
WORDS_OF_SIZE = {"large": ("large", "big"), "small": ("small", "little")}
SIZE_OF_WORD = {word: size for size, words in WORDS_OF_SIZE.items() for word in words}
VERTICAL, HORIZONTAL = ("top", "bottom"), ("left", "right")


@dataclass(frozen=True)
class Known:
    """What has been said of a scene, the things in the order of their first mention.

    ``absent`` are the shapes that were asked for and are not there; a caption does not speak of them.
    """

    background: str | None = None
    things: tuple[Thing, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def shapes(self) -> tuple[str, ...]:
        """The shapes mentioned so far, in order."""
        return tuple(thing.shape for thing in self.things)

    def of(self, shape: str) -> Thing:
        """The thing called ``shape``, all else unknown when it was not yet mentioned."""
        return next((thing for thing in self.things if thing.shape == shape), Thing(shape))

    def learn(self, shape: str, **attributes: str | None) -> Known:
        """With the thing called ``shape`` known, and these attributes of it."""
        if shape not in self.shapes:
            return replace(self, things=(*self.things, Thing(shape, **attributes)))
        learned: dict[str, Any] = attributes
        things = (replace(thing, **learned) if thing.shape == shape else thing for thing in self.things)
        return replace(self, things=tuple(things))

    @property
    def facts(self) -> frozenset[tuple[str, str, str]]:
        """(shape, attribute, value) of what is known to be there; the background counts as a shape."""
        facts = {("background", "name", self.background)} if self.background else set()
        for thing in self.things:
            facts.add((thing.shape, "shape", thing.shape))
            for attribute in ("colour", "size", "place"):
                if value := getattr(thing, attribute):
                    facts.add((thing.shape, attribute, value))
        return frozenset(facts)


def all_of(scene: Scene) -> Known:
    """Everything about ``scene``."""
    return Known(scene.background, scene.things)


def part_of(scene: Scene, rng: random.Random, share: float) -> Known:
    """A random part of ``scene``: one thing at least, and every other fact with probability ``share``."""
    things = rng.sample(scene.things, len(scene.things))
    kept = [thing for i, thing in enumerate(things) if i == 0 or rng.random() < share]
    partial = (
        replace(
            thing,
            colour=thing.colour if rng.random() < share else None,
            size=thing.size if rng.random() < share else None,
            place=thing.place if rng.random() < share else None,
        )
        for thing in kept
    )
    return Known(scene.background if rng.random() < share else None, tuple(partial))


def describe(known: Known, rng: random.Random | None = None) -> str:
    """One caption of what is known: canonical without ``rng``, else in varied order and wording."""
    things = list(known.things)
    if rng:
        rng.shuffle(things)
    clause = enumerate_words([phrase(thing, rng) for thing in things])
    setting = SETTINGS[known.background] if known.background else ""
    if rng and clause:
        clause = rng.choice(("", "", "", "there is ", "a picture of ")) + clause
        if setting and rng.random() < 0.3:
            return f"{setting}, {clause}"
    return ", ".join(part for part in (clause, setting) if part) or "a picture"


def phrase(thing: Thing, rng: random.Random | None = None) -> str:
    """A noun phrase such as "a large red star at the top left"."""
    size = None if thing.size is None else rng.choice(WORDS_OF_SIZE[thing.size]) if rng else thing.size
    noun = " ".join(word for word in (size, thing.colour, thing.shape) if word)
    article = "an" if noun[0] in "aeiou" else "a"
    return " ".join(word for word in (article, noun, thing.place and where(thing.place)) if word)


def where(place: str) -> str:
    """A place with its preposition: "at the top left", "in the middle"."""
    return f"in the {place}" if place == "middle" else f"at the {place}"


def enumerate_words(words: list[str]) -> str:
    """Join as in "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def prompt(known: Known, k: int) -> str:
    """The ``k``-th image prompt, from 1; prompts differ in adjective, in what comes first and in wording.

    The template is "[adjective] [subject] in [setting], [details]. Style: photorealistic."
    """
    k -= 1
    turn = k % max(len(known.things), 1)
    things = [keywords(thing, k) for thing in known.things[turn:] + known.things[:turn]]
    head = " ".join([ADJECTIVES[k % len(ADJECTIVES)], *(things[:1] or ["picture"])])
    if known.background:
        head += " " + SETTINGS[known.background]
    details = enumerate_words(things[1:]) if k % 2 else ", ".join(things[1:])
    return f"{head}, {details}. {STYLE}" if details else f"{head}. {STYLE}"


def keywords(thing: Thing, k: int = 0) -> str:
    """A thing without articles, as in "large red star top left"."""
    size = thing.size and WORDS_OF_SIZE[thing.size][k % 2]
    place = thing.place and (
        thing.place if k % 3 == 0 else f"at {thing.place}" if k % 3 == 1 else where(thing.place)
    )
    return " ".join(word for word in (size, thing.colour, thing.shape, place) if word)


def parse(text: str) -> Known:
    """What a caption or a prompt says: sizes and colours belong to the next shape, places to the last one."""
    pending: dict[str, str | None] = {}
    known, last = Known(), None
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in SHAPES:
            known, pending, last = known.learn(word, **pending), {}, word
        elif word in COLOURS:
            pending["colour"] = word
        elif word in SIZE_OF_WORD:
            pending["size"] = SIZE_OF_WORD[word]
        elif word in BACKGROUNDS:
            known = replace(known, background=word)
        elif last and word in (*VERTICAL, *HORIZONTAL, "middle"):
            known = known.learn(last, place=joined_place(known.of(last).place, word))
    return known


def joined_place(place: str | None, word: str) -> str:
    """A place after one more of its words."""
    return f"{place} {word}" if place in VERTICAL and word in HORIZONTAL else word
