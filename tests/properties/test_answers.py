"""What chat models and their servers answer: texts of every kind, and responses that are none."""

import json
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from daitir.chat import Answer, OpenAIChatOptions
from daitir.chat.answers import AnswerStore, clean, fault
from daitir.chat.openai import OpenAIChat
from tests.chat_server import says

from .malformed import EDITS, VALUES, bent, damage, ends_well

PIECES = [
    "a star",
    '"',
    "'",
    "\u201c",
    "\u201d",
    "\n",
    "\u2028",
    "\r",
    "<|im_end|>",
    "</s>",
    "[INST]",
    " ",
    "`",
    "\ud800",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=6).map("".join)


@given(text=TEXTS, finished=st.booleans())
def test_an_answer_is_refused_or_one_clean_line(text, finished):
    """Whatever a model writes."""
    if fault(text, finished, 64) is None:
        cleaned = clean(text)
        assert cleaned == cleaned.strip() != ""
        assert len(cleaned.splitlines()) == 1
        assert "<|" not in cleaned or "|>" not in cleaned
        cleaned.encode()


CHAT = OpenAIChat(OpenAIChatOptions(kind="openai", model="tiny", base_url="http://127.0.0.1:1/v1", retries=0))


@given(found=bent(says("a star").body) | VALUES)
def test_a_response_is_refused_or_an_answer(found):
    """A server may send any JSON; what is read of it is a text and whether it came to its end."""
    answer = ends_well(
        CHAT._read, json.loads(json.dumps(found), object_hook=lambda value: SimpleNamespace(**value))
    )
    assert answer is None or (isinstance(answer, Answer) and isinstance(answer.text, str))


@given(edits=EDITS)
def test_damaged_answers_that_were_kept_are_refused_or_what_they_were(folder, edits):
    """A scratch folder outlives kills and full disks."""
    for file in folder.glob("answers-*.json"):
        file.unlink()
    AnswerStore(folder).add({"question": "a star", "another": "a red star"})
    for file in folder.glob("answers-*.json"):
        file.write_bytes(damage(file.read_bytes(), edits))
    store = ends_well(AnswerStore, folder)
    for key, answer in {"question": "a star", "another": "a red star"}.items():
        if store is not None and key in store:
            assert store[key] == answer
