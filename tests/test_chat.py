"""Chat models: an answer follows from its message alone; a useless one is known, and asked for again."""

import pytest
import torch

from daitir.chat import OpenAIChatOptions, TransformersChatOptions
from daitir.chat.answers import AnswerStore, clean, fault
from daitir.chat.asking import Asker, Request
from daitir.chat.transformers import TransformersChat
from daitir.errors import DaitirError
from tests import tiny
from tests.chat_server import chat_server, says


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.llama(tmp_path_factory.mktemp("models") / "llama")


def options(folder, **settings):
    chosen = {"max_new_tokens": 40, "attempts": 20, "batch_size": 4, "device": "cpu"} | settings
    return TransformersChatOptions(kind="transformers", model=str(folder), **chosen)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (" a star \n", "a star"),
        ('"a star"', "a star"),
        ('"a" or "b"', '"a" or "b"'),
        ("“a star”", "a star"),
        ('"', '"'),
        ("a 'red' star", "a 'red' star"),
    ],
)
def test_blanks_and_quotes_around_an_answer_go(text, cleaned):
    """One pair around all of it, no other."""
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "finished", "reason"),
    [
        ("a red star", True, None),
        ("a star <3 of 4 [sic]", True, None),
        ("a red", False, "cut off after max_new_tokens (9;"),
        (" \n", True, "empty"),
        ('""', True, "empty"),
        ("a red star\na blue one", True, "more than one line"),
        ("a star<|im_start|>", True, "chat markup"),
        ("<think>well</think> a star", True, "chat markup"),
        ("[INST] a star", True, "chat markup"),
    ],
)
def test_useless_answers_are_known(text, finished, reason):
    """Empty, cut, of several lines, with markup."""
    found = fault(text, finished, 9)
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("attempt", [0, 1])
def test_answers_do_not_depend_on_their_batch(folder, tmp_path, batch_size, attempt):
    """The same under every batch size and order, greedy and sampled."""
    dialogues = tiny.dialogues(tmp_path / "d.parquet", count=12)
    messages = sorted({" ".join(d.turns[: r + 1]) for d in dialogues for r in range(len(d.turns))})

    def answers(size, asked):
        return {
            m: a
            for batch in TransformersChat(options(folder, batch_size=size)).answer(asked, attempt)
            for m, a in batch.items()
        }

    wanted = answers(8, messages)
    assert answers(batch_size, messages[::-1]) == wanted
    assert answers(batch_size, messages[4:5]) == {messages[4]: wanted[messages[4]]}


def test_a_padded_message_is_answered_as_it_is_alone(folder):
    """Greedy answers are those of the library's own generation without padding."""
    model = TransformersChat(options(folder))
    message = "a red star on the left"
    [answers] = model.answer([message], attempt=0)
    text = f"<|user|>{message}<|end|><|assistant|>"
    tokens = model.tokenizer(text, return_tensors="pt")
    written = model.model.generate(**tokens, max_new_tokens=40, do_sample=False)[
        0, tokens.input_ids.shape[1] :
    ]
    assert answers[message].text + "<|end|>" * answers[message].finished == model.tokenizer.decode(written)


def test_the_store_finds_answers_by_their_key(tmp_path):
    """In a new process too, and nothing else."""
    AnswerStore(tmp_path).add({"hello": "a star"})
    store = AnswerStore(tmp_path)
    assert "hello" in store
    assert store["hello"] == "a star"
    assert "hallo" not in store


def test_a_model_without_a_chat_template_is_refused(tmp_path):
    """A base model would only go on writing the message."""
    tiny.llama(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(DaitirError, match="has no chat template"):
        TransformersChat(options(tmp_path))


def asks(server, requests, scratch=None, attempts=2):
    """Ask a server; return the answers by key."""
    settings = {"base_url": server.url, "concurrency": 1, "retries": 0, "attempts": attempts}
    asker = Asker(OpenAIChatOptions(kind="openai", model="tiny", **settings), scratch)
    return asker.ask(requests, "answers", "answers")


def test_requests_with_one_message_are_judged_each_by_itself(tmp_path):
    """Asked together once; again for the one that the answer does not suit, and what is stored is not."""
    requests = [
        Request("a", "count", "first"),
        Request("a", "count", "the same"),
        Request("b", "count", "second", lambda text: "not three" if text != "three" else None),
    ]
    words = ["two", "three"]
    with chat_server(lambda request: says(words[request.number])) as server:
        wanted = {"a": "two", "b": "three"}
        assert asks(server, requests, tmp_path) == wanted
        assert asks(server, requests, tmp_path) == wanted
    assert len(server.requests) == 2


def test_a_request_that_stays_unanswered_is_named(tmp_path):
    """With how many there are, and why; nothing else is asked again."""
    requests = [Request("a", "one", "first"), Request("b", "two", "second", lambda text: f"not {text}")]
    with (
        chat_server(lambda request: says(request.message)) as server,
        pytest.raises(DaitirError, match=r"to 1 of 2 requests for answers in 3 attempts; .* second, not two"),
    ):
        asks(server, requests, attempts=3)
    assert [request.message for request in server.requests] == ["one", "two", "two", "two"]


def too_little_memory(*_):
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_too_little_memory_is_one_line(folder):
    """The model, and what to do."""
    chat = TransformersChat(options(folder))
    chat.model.register_forward_pre_hook(too_little_memory)
    with pytest.raises(DaitirError, match="llama needs more memory than cpu has: lower `batch_size` or"):
        next(chat.answer(["a star"], 0))
