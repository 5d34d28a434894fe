"""What mini-questioner learns: after each turn of a dialogue a question about what is still unknown."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from transformers import PreTrainedTokenizerFast

from daitir.mini.answers import IDLE, MORE, THINGS, caption, reply
from daitir.mini.chats import Encoder
from daitir.mini.language import Known, parse
from daitir.mini.packing import IGNORED, Branch, Chat
from daitir.mini.talk import ROUNDS, Turn, hold_dialogue
from daitir.mini.world import Scene, draw_scene

QUESTION = "Ask the next question.\n"
SHORT_IDLE = tuple(question for question in IDLE if len(question.split()) <= 6 and "picture" not in question)
SETTING = ("what is the background?", "where is this?")
HUMAN = 0.25  # share of the dialogues that people hold, who also ask what tells little


def question_request(turns: Sequence[str]) -> str:
    """The user's message that asks for the next question."""
    return QUESTION + "\n".join(turns)


def telling(known: Known, asked: set[str]) -> list[str]:
    """Questions that tell something new whatever the answer is, none of them asked before."""
    questions = [] if known.background else list(SETTING)
    if len(known.things) < THINGS:
        questions += MORE[:2]
    for thing in known.things:
        questions += [] if thing.colour else [f"what colour is the {thing.shape}?"]
        questions += [] if thing.place else [f"where is the {thing.shape}?"]
        questions += [] if thing.size else [f"is the {thing.shape} large?", f"is the {thing.shape} small?"]
    return [question for question in questions if question not in asked]


def next_question(known: Known, asked: set[str], rng: random.Random) -> str:
    """A telling question; when all is known, one that people ask nevertheless."""
    return rng.choice(telling(known, asked) or [idle for idle in SHORT_IDLE if idle not in asked])


def learn(scene: Scene, known: Known, question: str) -> Known:
    """What is known after the true answer to a telling question; another question teaches nothing."""
    if question not in telling(known, set()):
        return known
    if question in SETTING:
        return replace(known, background=scene.background)
    if question in MORE:
        return known.learn(parse(reply(scene, question)).shapes[0])
    thing = next(thing for thing in scene.things if thing.shape in question)
    attribute = {"what": "colour", "where": "place"}.get(question.split()[0], "size")
    return known.learn(thing.shape, **{attribute: getattr(thing, attribute)})


def interview(scene: Scene, rng: random.Random) -> list[Turn]:
    """A dialogue of telling questions and the world's answers."""
    turns, asked = [caption(scene)], set[str]()
    while len(turns) <= ROUNDS:
        known = turns[-1].known
        question = next_question(known, asked, rng)
        asked.add(question)
        turns.append(Turn(f"{question} {reply(scene, question)}", learn(scene, known, question)))
    return turns


def sample_texts(count: int) -> Iterator[str]:
    """Requests and questions, for the tokenizer."""
    rng = random.Random("questions")
    for _ in range(count):
        turns = [turn.text for turn in draw_interview(rng)]
        yield question_request(turns)
        yield from (turn.split("?")[0] + "?" for turn in turns[1:])


def draw_interview(rng: random.Random) -> list[Turn]:
    """One dialogue about a scene on which models are trained."""
    scene = draw_scene(rng, "models")
    return hold_dialogue(scene, rng) if rng.random() < HUMAN else interview(scene, rng)


def draw_chats(rng: random.Random, tokenizer: PreTrainedTokenizerFast) -> Iterator[Chat]:
    """Endless: a dialogue, and after each of its turns but the last a question that would be a good one."""
    encode = Encoder(tokenizer)
    while True:
        yield questions_after(encode, draw_interview(rng), rng)


def questions_after(encode: Encoder, turns: Sequence[Turn], rng: random.Random) -> Chat:
    """One dialogue as a trunk, with a question after each turn."""
    trunk, about = [encode.user], [IGNORED]
    branches: list[Branch] = []
    asked = set[str]()
    for place, turn in enumerate(turns[:ROUNDS]):
        tokens = encode.encode(("\n" if place else QUESTION) + turn.text)
        trunk += tokens
        about += encode.mentioned(tokens)
        if place:
            asked.add(turn.text.split("?")[0] + "?")
        question = encode.encode(next_question(turn.known, asked, rng))
        branches.append(encode.branch(len(trunk), question, encode.described(question)))
    return Chat(trunk, about, branches)
