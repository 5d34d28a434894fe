"""The world answers truly, and mini-questioner learns to ask for what is still unknown."""

import random
from itertools import pairwise

import pytest
from PIL import Image

from daitir.errors import DaitirError
from daitir.mini.answers import UNREAD, WorldAnswerer, caption, reply
from daitir.mini.chats import Encoder, build_tokenizer
from daitir.mini.language import Known, all_of, parse
from daitir.mini.measure_questioner import Score, begin
from daitir.mini.questions import (
    draw_chats,
    interview,
    learn,
    question_request,
    questions_after,
    sample_texts,
    telling,
)
from daitir.mini.talk import hold_dialogue
from daitir.mini.train_questioner import LENGTH
from daitir.mini.world import Scene, Thing, draw_scene, render

SCENE = Scene(
    "snow",
    (
        Thing("star", "red", "large", "top left"),
        Thing("ring", "blue", "small", "middle"),
        Thing("moon", "black", "large", "bottom"),
    ),
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what colour is the star?", "red"),
        ("where is the ring?", "in the middle"),
        ("is the star large?", "yes"),
        ("is the star small?", "no, large"),
        ("is the ring small or large?", "small"),
        ("is the moon black?", "yes"),
        ("is the moon red?", "no"),
        ("is the star at the top left?", "yes"),
        ("is the star at the top?", "no"),
        ("is there a heart?", "no"),
        ("is there a ring?", "yes"),
        ("can you see a large red star?", "yes"),
        ("what colour is the heart?", "there is no heart"),
        ("what is the background?", "in the snow"),
        ("is it in the snow?", "yes"),
        ("is it at night?", "no"),
        ("are there people?", "no"),
        ("how many things are there?", "three"),
        ("is the star left of the ring?", UNREAD),
        ("who painted this?", UNREAD),
        ("is the star happy?", UNREAD),
    ],
)
def test_the_world_answers_truly(question, answer):
    """A red star, a blue ring and a black moon in the snow; what is not read is not guessed."""
    assert reply(SCENE, question) == answer


def test_what_else_there_is_was_not_in_the_caption():
    """Each way to ask names a thing that the caption left out."""
    said = caption(SCENE).known.shapes
    told = {parse(reply(SCENE, question)).shapes[0] for question in ("what else is there?", "anything else?")}
    assert told == {thing.shape for thing in SCENE.things} - set(said)


def test_people_ask_what_the_world_can_answer():
    """Every question of the human style is read, and a plain answer is that of the style."""
    rng = random.Random(0)
    for _ in range(50):
        scene = draw_scene(rng, "val")
        for turn in hold_dialogue(scene, rng)[1:]:
            question, _, answer = turn.text.partition("? ")
            mine = reply(scene, f"{question}?")
            assert mine != UNREAD
            if "else" not in question:
                assert answer.startswith(mine)


def test_answers_of_a_picture_are_those_of_its_scene():
    """The picture is read; asking again gives the same caption, whatever is asked beside it."""
    pictures = [render(SCENE), render(draw_scene(random.Random(1), "val"))]
    answerer = WorldAnswerer()
    assert answerer.answer(pictures[:1], ["what colour is the star?"]) == ["red"]
    assert answerer.caption(pictures)[1:] == answerer.caption(pictures[1:])
    assert answerer.caption(pictures)[0] == caption(SCENE).text


def test_a_picture_of_something_else_is_refused():
    """A grey one shows nothing."""
    with pytest.raises(DaitirError, match="it shows 0 things"):
        WorldAnswerer().caption([Image.new("RGB", (48, 48), "grey")])


def test_a_telling_question_asks_for_what_is_unknown():
    """By hand: all is known but the size of the star and the colour of the moon."""
    known = all_of(SCENE)
    known = known.learn("star", size=None).learn("moon", colour=None)
    asked = {"is the star large?"}
    assert telling(known, asked) == ["is the star small?", "what colour is the moon?"]
    assert learn(SCENE, known, "is the star small?").of("star").size == "large"
    assert learn(SCENE, known, "is it pretty?") == known
    assert telling(Known(), set())[:3] == ["what is the background?", "where is this?", "what else is there?"]


def test_an_interview_learns_with_every_question_until_all_is_known():
    """Ten different questions; as long as something is unknown each one tells something."""
    rng = random.Random(2)
    for _ in range(20):
        scene = draw_scene(rng, "models")
        turns = interview(scene, rng)
        texts = [turn.text.partition("?")[0] for turn in turns[1:]]
        assert len(set(texts)) == 10
        facts = [len(turn.known.facts) for turn in turns]
        everything = len(all_of(scene).facts)
        assert all(after > before or before == everything for before, after in pairwise(facts))
        assert turns[-1].known.facts <= all_of(scene).facts


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(sample_texts(300))


def test_a_branch_is_the_chat_that_the_questioner_sees(tokenizer):
    """Trunk and branch make the tokens of the chat template; the question is one of the telling ones."""
    turns = interview(SCENE, random.Random(0))
    chat = questions_after(Encoder(tokenizer), turns, random.Random(0))
    assert len(chat.branches) == 10
    for round_, branch in enumerate(chat.branches):
        question = tokenizer.decode(branch.tokens[2:])
        asked = {turn.text.partition("?")[0] + "?" for turn in turns[1 : round_ + 1]}
        assert question in telling(turns[round_].known, asked) or not telling(turns[round_].known, asked)
        messages = [{"role": "user", "content": question_request([t.text for t in turns[: round_ + 1]])}]
        messages.append({"role": "assistant", "content": question})
        whole = tokenizer.apply_chat_template(messages, return_dict=False)
        assert chat.trunk[: branch.start] + branch.tokens + [branch.targets[-1]] == whole


def test_chats_of_one_stream_are_alike_and_two_fit_a_row(tokenizer):
    """Equal seeds draw equal chats, so that a resumed run learns the same."""
    one, other = (draw_chats(random.Random(3), tokenizer) for _ in range(2))
    drawn = [next(one) for _ in range(50)]
    assert drawn == [next(other) for _ in range(50)]
    assert 2 * max(map(len, drawn)) <= LENGTH


def test_score_counts_questions():
    """Of a first question about the background, one that is no question and one asked again."""
    talk = begin(SCENE)
    talk.known = Known(things=talk.known.things)
    score = Score()
    score.add(talk, "where is this?")
    talk.asked.add("where is this?")
    score.add(talk, "where is this?")
    score.add(talk, "where is the")
    assert (score.questions, score.read, score.new, score.open, score.telling) == (3, 2, 2, 3, 1)
