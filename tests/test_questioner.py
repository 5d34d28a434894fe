"""Who asks puts one new question, whatever batch it is in; what is useless is asked again, then refused."""

from pathlib import Path

import pytest

from daitir.errors import DaitirError
from daitir.simulation import OpenAIQuestioner, TransformersQuestioner
from daitir.simulation.questioner import Questioner, fault_of_question
from tests.chat_server import chat_server, says

ROOT = Path(__file__).parents[1]
MINI_QUESTIONER = str(ROOT / "resources/models/mini-questioner")


def questioner(tmp_path, **options):
    settings = {"model": MINI_QUESTIONER, "device": "cpu", "max_new_tokens": 24} | options
    template = {"question_template": str(ROOT / "config/templates/mini-question.jinja")}
    return Questioner(TransformersQuestioner(kind="transformers", **(template | settings)), tmp_path)


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        ("is it large?", None),
        ("is it red", "it does not end with a question mark"),
        ("is it red? or blue?", "more than one question"),
        ("?", "no words"),
        ("Is it  RED?", "asked before"),
    ],
)
def test_a_question_is_new_and_single(question, fault):
    """Judged after two turns; letter case and blanks do not make a question new."""
    found = fault_of_question(question, ["a star", "is it red? no", "where is it? is it here?"])
    assert found is None if fault is None else found.startswith(fault)


def test_a_repeated_question_is_asked_again(tmp_path):
    """A template that shows the caption alone leads to the same question; then another one is drawn."""
    (tmp_path / "blind.jinja").write_text("Ask the next question.\n{{ caption }}\n")
    asks = questioner(tmp_path, question_template=str(tmp_path / "blind.jinja"), attempts=50)
    first = asks.ask({"d": ["a red star"]})["d"]
    second = asks.ask({"d": ["a red star", f"{first} no"]})["d"]
    assert first.endswith("?")
    assert second.endswith("?")
    assert first != second


def test_a_questioner_that_only_repeats_is_refused_by_name(tmp_path):
    """One attempt is not enough for a new question here; the place is named."""
    (tmp_path / "blind.jinja").write_text("Ask the next question.\n{{ caption }}\n")
    asks = questioner(tmp_path, question_template=str(tmp_path / "blind.jinja"), attempts=1)
    first = asks.ask({"d": ["a red star"]})["d"]
    with pytest.raises(DaitirError, match=r"dialogue 'd' round 2, asked before: .*Raise `attempts`"):
        asks.ask({"d": ["a red star", f"{first} no"]})


def test_equal_dialogues_are_asked_equally_in_any_batch(tmp_path):
    """A question follows from the turns alone."""
    turns = {"a": ["a star"], "b": ["a red heart and a ring"], "c": ["a star"]}
    whole = questioner(tmp_path / "1", batch_size=8).ask(turns)
    single = questioner(tmp_path / "2", batch_size=1)
    assert whole == {name: single.ask({name: said})[name] for name, said in turns.items()}
    assert whole["a"] == whole["c"]


def test_a_message_without_room_is_refused_by_name(tmp_path):
    """More turns than the model has positions for."""
    asks = questioner(tmp_path, max_new_tokens=1020)
    with pytest.raises(DaitirError, match=r"dialogue 'd' round 1: a message of \d+ tokens leaves no room"):
        asks.ask({"d": ["a star and a ring"]})


def test_a_server_is_asked_in_our_own_words(tmp_path):
    """The request holds the caption and what was said; quotation marks around the question fall away."""
    with chat_server(lambda request: says(f'"what is at place {request.number}?"')) as server:
        options = OpenAIQuestioner(kind="openai", model="m", base_url=server.url, concurrency=1)
        asked = Questioner(options, tmp_path).ask({"d": ["a red star", "is it large? yes"]})
    assert asked == {"d": "what is at place 0?"}
    message = server.requests[0].message
    assert message.index("a red star") < message.index("- is it large? yes") < message.index("single short")


def test_a_questioner_has_no_keys_of_reformulators():
    """It would ask for nothing with them."""
    asks = {"kind": "transformers", "model": "m", "prompts": 3}
    with pytest.raises(DaitirError, match="prompts: unknown key"):
        TransformersQuestioner.parse(asks, "here")
    assert "prompts" not in TransformersQuestioner(kind="transformers", model="m").only("bytes")
    assert TransformersQuestioner(kind="transformers", model="m").attempts == 5
