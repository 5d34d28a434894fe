import json

import pytest

from daitir.chat.answers import clean, fault
from daitir.chat.transformers import TransformersChat
from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.reformulators import JoinOptions, TransformersOptions, load_reformulator
from daitir.reformulators.templates import Templates
from tests import tiny

DIALOGUE = Dialogue("d", "d.png", ("a red star", "is it small? no", "what sky? blue"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """Short templates: the tiny model reads letters."""
    root = tmp_path_factory.mktemp("templates")
    (root / "query.jinja").write_text("{{ turns | join(', ') }}\n")
    (root / "prompt.jinja").write_text("{{ k }} {{ query }}\n")
    return {"query_template": root / "query.jinja", "prompt_template": root / "prompt.jinja"}


def options(folder, **settings):
    chosen = {"max_new_tokens": 40, "attempts": 20, "batch_size": 4, "device": "cpu"} | settings
    return TransformersOptions(kind="transformers", model=str(folder), **chosen)


def work(tmp_path, **size):
    return [(d, list(range(len(d.turns)))) for d in tiny.dialogues(tmp_path / "d.parquet", **size)]


def test_join_is_the_dialogue_as_it_is():
    """Turns up to the round joined, the same text for every prompt."""
    reformulator = load_reformulator(JoinOptions(kind="join", prompts=2))
    found = [(q.round, q.query_text, q.prompts) for q in reformulator.reformulate([(DIALOGUE, [0, 2])])]
    whole = "a red star, is it small? no, what sky? blue"
    assert found == [(0, "a red star", ("a red star",) * 2), (2, whole, (whole,) * 2)]


def test_our_query_template_keeps_the_caption_apart():
    """The caption stands alone, the elaborations behind it, and one refined query is asked for."""
    message = Templates(None, None).query_message(DIALOGUE, 1)
    assert "Caption:\na red star\n\nElaborations, oldest first:\n- is it small? no\n\n" in message
    assert "what sky" not in message
    assert "one refined query" in message
    assert "Elaborations" not in Templates(None, None).query_message(DIALOGUE, 0)


def test_our_prompt_template_varies_by_k():
    """DAR's template, each k another way."""
    messages = [Templates(None, None).prompt_message("a red star", k) for k in range(1, 15)]
    assert len(set(messages)) == 14
    form = "[adjective] [primary subject] in [setting], [key details]. Style: photorealistic."
    assert all(form in message and "a red star" in message for message in messages)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ turns", "is not Jinja"),
        ("{{ images }}", "cannot be filled .*its variables are caption, elaborations, turns"),
        ("{{ turns.__class__.__mro__ }}", "cannot be filled"),
        ("{{ turns + 1 }}", "cannot be filled"),
        ("\udce9", "is not UTF-8 text"),
    ],
)
def test_a_broken_template_is_refused(tmp_path, text, message):
    """Syntax, variables that are not there, what a sandbox forbids, sums that make none, foreign letters."""
    (tmp_path / "query.jinja").write_text(text, errors="surrogateescape")
    with pytest.raises(DaitirError, match=message):
        Templates(tmp_path / "query.jinja", None).query_message(DIALOGUE, 0)


def test_a_useless_answer_is_asked_for_again(folder, templates, tmp_path):
    """Some greedy answers of a random model are empty; all queries get a text in the end."""
    asked = work(tmp_path, count=12)
    first = TransformersChat(options(folder)).answer(
        [Templates(**short(templates)).query_message(d, r) for d, rounds in asked for r in rounds], 0
    )
    assert any(fault(answer.text, answer.finished, 40) for batch in first for answer in batch.values())
    queries = list(load_reformulator(options(folder, **templates)).reformulate(asked))
    assert len(queries) == 36
    assert all(query.query_text and len(query.prompts) == 3 for query in queries)
    assert all(
        clean(answer) == text
        for q in queries
        for answer, text in zip(q.answers, (q.query_text, *q.prompts), strict=True)
    )


def short(templates):
    return {"query": templates["query_template"], "prompt": templates["prompt_template"]}


def test_more_prompts_keep_the_earlier_ones(folder, templates, tmp_path):
    """K = 2 gives the first two of K = 3, and equal dialogues get equal queries."""
    asked = work(tmp_path)
    two, three = (
        list(load_reformulator(options(folder, prompts=k, **templates)).reformulate(asked)) for k in (2, 3)
    )
    assert [q.prompts for q in two] == [q.prompts[:2] for q in three]
    assert [q.prompts for q in two if q.dialogue_id == "d0"] == [
        q.prompts for q in two if q.dialogue_id == "d1"
    ]


def test_an_answer_that_stays_useless_is_refused_by_name(folder, templates, tmp_path):
    """The query is named, the good answers are kept."""
    reformulator = load_reformulator(options(folder, max_new_tokens=3, attempts=1, **templates), tmp_path)
    with pytest.raises(
        DaitirError,
        match=r"to \d+ of 12 requests for query texts in 1 attempts; the first is d\d_r\d, cut off",
    ):
        list(reformulator.reformulate(work(tmp_path)))
    kept = [
        text for file in tmp_path.glob("answers-*.json") for text in json.loads(file.read_text()).values()
    ]
    assert kept
    assert not any(fault(text, True, 3) for text in kept)


def test_a_message_too_long_for_the_model_is_refused_by_name(folder, templates):
    """Nothing is cut off in silence."""
    too_long = [(Dialogue("d", "d.png", ("x" * 600,)), [0])]
    with pytest.raises(
        DaitirError, match="d_r0: a message of 603 tokens leaves no room for 40 new ones in the 512"
    ):
        list(load_reformulator(options(folder, **templates)).reformulate(too_long))
