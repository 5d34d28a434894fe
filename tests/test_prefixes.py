"""Messages that begin alike share what the model keeps of it: less work, and not a bit of difference."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoTokenizer,
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from daitir.chat import TransformersChatOptions
from daitir.chat.prefixes import BLOCK
from daitir.chat.transformers import TransformersChat
from tests import tiny

MINI = Path(__file__).parents[1] / "resources" / "models" / "mini-llm"
PREAMBLE = "the user looks for one image\nthese are the caption and the answers\n"
WIDTH = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "initializer_range": 0.3}
DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}


def chat_of(model=MINI, **settings):
    chosen = {"max_new_tokens": 1, "batch_size": 16, "device": "cpu"} | settings
    return TransformersChat(TransformersChatOptions(kind="transformers", model=str(model), **chosen))


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """Eleven rounds of eleven different dialogues, in their order."""
    told = tiny.dialogues(tmp_path_factory.mktemp("told") / "d.parquet", count=12, rounds=21)
    return [PREAMBLE + "\n".join(one.turns[: 2 * r + 1]) for one in told[1:] for r in range(11)]


def beginnings(chat, messages):
    """Return the distinct beginnings of whole blocks, at least one token being left over."""
    rows = [tuple(chat._tokenise(message)) for message in messages]
    return {row[:end] for row in rows for end in range(BLOCK, len(row), BLOCK)}


def answers_of(chat, messages, attempt=0):
    return {message: one for found in chat.answer(messages, attempt) for message, one in found.items()}


def first_logits(chat, messages):
    """Return the logits of the first new token by the tokens of the message."""
    write, forward, now, logits = chat._write, chat._forward, [], {}

    def watched_write(rows, sampler):
        now[:] = map(tuple, rows)
        return write(rows, sampler)

    def watched_forward(ids, *given):
        made = forward(ids, *given)
        logits.update(zip(now, made.logits[:, -1].clone(), strict=True) if ids.shape[1] > 1 else {})
        return made

    chat._write, chat._forward = watched_write, watched_forward
    answers_of(chat, messages)
    chat._write, chat._forward = write, forward
    return logits


def tokens_read(chat, messages):
    """Return how many tokens of messages go through the model."""
    read = []
    note = lambda _, given, named: read.append(named["input_ids"].numel())  # noqa: E731
    handle = chat.model.register_forward_pre_hook(note, with_kwargs=True)
    answers_of(chat, messages)
    handle.remove()
    return sum(read)


def test_a_shared_block_is_computed_once(messages):
    """Every distinct beginning in one row of one call, and far fewer tokens are read than in one piece."""
    chat = chat_of()
    forward, calls = chat.prefixes.forward, []

    def noted(ids, mask, *given):
        calls.append({(mask.shape[1], tuple(row)) for row in ids.tolist()})
        return forward(ids, mask, *given)

    chat.prefixes.forward = noted
    few = tokens_read(chat, messages)
    wanted = {(len(beginning), beginning[-BLOCK:]) for beginning in beginnings(chat, messages)}
    assert len(wanted) > 40
    assert Counter(block for call in calls for block in call) == Counter(dict.fromkeys(wanted, 1))
    chat.prefixes.reused = False
    assert few < 0.75 * tokens_read(chat, messages)


def test_sharing_changes_no_bit(messages):
    """The first logits are the same alone, shared, not shared, and in any batch size and order."""
    wanted = first_logits(chat_of(batch_size=64), messages)
    assert len(wanted) == len(messages)
    found = {
        "other sizes": first_logits(chat_of(batch_size=5), messages),
        "another order": first_logits(chat_of(), sorted(messages, key=lambda message: message[::-1])),
    }
    unshared = chat_of()
    unshared.prefixes.share = lambda _: None
    found["not shared"] = first_logits(unshared, messages)
    for what, logits in found.items():
        assert logits.keys() == wanted.keys(), what
        assert all(torch.equal(logits[row], wanted[row]) for row in wanted), what
    chat = chat_of()
    for message in messages[:11] + messages[-2:]:
        [(row, logits)] = first_logits(chat, [message]).items()
        assert torch.equal(logits, wanted[row])


@pytest.mark.parametrize("attempt", [0, 1])
def test_answers_are_the_same_with_and_without(messages, attempt):
    """Greedy and sampled; nothing is kept behind the last."""
    chat = chat_of(max_new_tokens=12, batch_size=8)
    shared = answers_of(chat, messages[:44], attempt)
    assert chat.prefixes._kept == {}
    chat.prefixes.reused = False
    assert answers_of(chat, messages[:44], attempt) == shared


def test_logits_are_those_of_the_message_in_one_piece(messages):
    """But for rounding."""
    chat = chat_of()
    for row, logits in first_logits(chat, messages[:44]).items():
        with torch.inference_mode():
            plain = chat.model(torch.tensor([row])).logits[0, -1]
        torch.testing.assert_close(logits, plain, atol=1e-3, rtol=1e-4)


def test_a_block_behind_other_words_is_another_block():
    """Two messages that differ in their first block alone share nothing."""
    chat = chat_of()
    asked = [f"{sign} star\n" + "there is a small tree on the left\n" * 12 for sign in "xy"]
    first, second = (chat._tokenise(message) for message in asked)
    assert first[:BLOCK] != second[:BLOCK]
    assert first[BLOCK:] == second[BLOCK:]
    found = first_logits(chat, asked)
    for message, row in zip(asked, (first, second), strict=True):
        [alone] = first_logits(chat, [message]).values()
        assert torch.equal(found[tuple(row)], alone)


def random_model(folder, kind, config):
    """A model of random weights with mini-llm's tokens."""
    torch.manual_seed(0)
    AutoTokenizer.from_pretrained(MINI).save_pretrained(folder)
    kind(config(vocab_size=529, eos_token_id=1, bos_token_id=None, pad_token_id=0)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("kind", "config", "reused"),
    [
        (LlamaForCausalLM, lambda **of: LlamaConfig(**WIDTH, intermediate_size=64, **of), True),
        (GPT2LMHeadModel, lambda **of: GPT2Config(**WIDTH, **of), True),  # learned positions
        (BloomForCausalLM, lambda **of: BloomConfig(**WIDTH, **of), True),  # distances: ALiBi
        (
            MistralForCausalLM,
            lambda **of: MistralConfig(**WIDTH, num_key_value_heads=2, sliding_window=24, **of),
            False,
        ),
        (LlamaForCausalLM, lambda **of: LlamaConfig(**WIDTH, rope_parameters=DYNAMIC, **of), False),
    ],
    ids=["llama", "gpt2", "bloom", "window", "stretched"],
)
def test_other_models_answer_as_by_themselves(tmp_path, messages, kind, config, reused):
    """Beginnings are reused where every layer keeps every token; the answers are those of ``generate``."""
    chat = chat_of(random_model(tmp_path, kind, config), max_new_tokens=6, batch_size=8)
    assert chat.prefixes.reused == reused
    asked = messages[8:14] + messages[-3:]
    for message, answer in answers_of(chat, asked).items():
        tokens = torch.tensor([chat._tokenise(message)])
        written = chat.model.generate(tokens, max_new_tokens=6, do_sample=False)[0, tokens.shape[1] :]
        assert answer.text == chat.tokenizer.decode(written).removesuffix("<|end|>")


def test_too_little_memory_for_a_block_halves_the_batch(messages):
    """The work goes on with fewer rows, and its results are the same."""
    wanted = first_logits(chat_of(batch_size=64), messages)
    chat = chat_of(batch_size=64)
    forward, refused = chat.prefixes.forward, []

    def limited(ids, *given):
        if len(ids) > 8:
            refused.append(len(ids))
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(ids, *given)

    chat.prefixes.forward = limited
    found = first_logits(chat, messages)
    assert refused
    assert chat.fitting.lowered == 8
    assert all(torch.equal(found[row], wanted[row]) for row in wanted)
