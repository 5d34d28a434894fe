"""mini-llm's chats are packed without seeing each other, and its directory is read by transformers."""

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from daitir.mini.chats import (
    Encoder,
    build_tokenizer,
    draw_chats,
    prompt_request,
    query_request,
    sample_texts,
)
from daitir.mini.language import describe, parse, prompt
from daitir.mini.measure_llm import Rewriter, Score
from daitir.mini.packing import IGNORED, Branch, Chat, pack
from daitir.mini.talk import hold_dialogue
from daitir.mini.train_llm import build_model, export
from daitir.mini.world import SHAPES, draw_scene


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(sample_texts(300))


@pytest.fixture(scope="module")
def turns():
    rng = random.Random(5)
    return hold_dialogue(draw_scene(rng, "models"), rng, "human")


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return build_model(tokenizer).eval()


def test_branch_sees_its_part_of_the_trunk_alone():
    """By hand: a trunk of two tokens, a branch after the first of them, and a stranger."""
    chat = Chat([7, 8], [0, 1], [Branch(1, [9], [3], [2])])
    packed = pack(iter([chat, Chat([5], [IGNORED], [])]), rows=1, length=4)
    assert packed.tokens_RT.tolist() == [[7, 8, 9, 5]]
    assert packed.positions_RT.tolist() == [[0, 1, 1, 0]]
    assert packed.targets_RT.tolist() == [[IGNORED, IGNORED, 3, IGNORED]]
    assert packed.about_RT.tolist() == [[0, 1, 2, IGNORED]]
    assert packed.mask_R1TT[0, 0].int().tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 0, 0, 1],
    ]


def test_chats_without_room_end_the_packing():
    """Rows have one length; what is left of them is padding that learns nothing."""
    chats = [Chat([name] * size, [0] * size, []) for name, size in ((1, 3), (2, 3), (3, 4), (4, 1))]
    packed = pack(iter(chats), rows=2, length=5)
    assert packed.tokens_RT.tolist() == [[1, 1, 1, 0, 0], [2, 2, 2, 0, 0]]


def test_chat_longer_than_a_row_is_an_error():
    """Left out in silence it would end the packing, and the longest dialogues would never be learned."""
    with pytest.raises(ValueError, match="a chat has 4 tokens, a row only 3"):
        pack(iter([Chat([1] * 4, [0] * 4, [])]), rows=2, length=3)


@pytest.mark.parametrize("round_", [0, 4, 10])
def test_branch_is_the_chat_that_generation_sees(tokenizer, turns, round_):
    """Trunk and branch make the tokens of the chat template."""
    chat = Encoder(tokenizer).queries(turns, range(11))
    branch = chat.branches[round_]
    messages = [{"role": "user", "content": query_request([turn.text for turn in turns[: round_ + 1]])}]
    messages.append({"role": "assistant", "content": describe(turns[round_].known)})
    whole = tokenizer.apply_chat_template(messages, return_dict=False)
    assert chat.trunk[: branch.start] + branch.tokens + [branch.targets[-1]] == whole


def test_packed_model_answers_as_the_plain_one(tokenizer, model, turns):
    """The hidden states of a branch in a full row are those of the chat alone."""
    chat = Encoder(tokenizer).queries(turns, [2, 6])
    packed = pack(iter([Encoder(tokenizer).prompts(turns[3], 1), chat]), rows=1, length=320)
    plain = torch.tensor([chat.trunk[: chat.branches[1].start] + chat.branches[1].tokens])
    with torch.no_grad():
        alone = model.model(plain).last_hidden_state[0, chat.branches[1].start :]
        states = model.model(
            packed.tokens_RT, attention_mask=packed.mask_R1TT, position_ids=packed.positions_RT
        ).last_hidden_state[0]
    end = (packed.tokens_RT[0] != tokenizer.pad_token_id).nonzero().max() + 1
    torch.testing.assert_close(states[end - len(alone) : end], alone, atol=1e-4, rtol=1e-4)


def test_words_are_tokens_and_strange_words_survive(tokenizer):
    """A word of the language is one token; another one falls into pieces that give it back."""
    assert len(tokenizer(" a large purple triangle at the bottom right").input_ids) == 8
    assert tokenizer.decode(tokenizer("a Zebra, naïve").input_ids) == "a Zebra, naïve"


def test_tokens_know_what_they_speak_of(tokenizer):
    """A turn speaks of the shape mentioned last, an answer of the one being described or next."""
    encode = Encoder(tokenizer)
    star, ring = SHAPES.index("star"), SHAPES.index("ring")
    turn = encode.encode("is the star red? no")
    assert encode.mentioned(turn) == [IGNORED, IGNORED, star, star, star, star]
    answer = encode.encode("a star and a ring, at night")
    none = [IGNORED] * 3
    assert encode.described(answer) == [star, star, star, ring, ring, ring, *none]


def test_chats_of_one_stream_are_alike(tokenizer):
    """Equal seeds draw equal chats, so that a resumed run learns the same."""
    one, other = (draw_chats(random.Random(3), tokenizer, last_round=10, rounds=4) for _ in range(2))
    assert [next(one) for _ in range(9)] == [next(other) for _ in range(9)]


def test_directory_holds_all_weights_and_answers(tmp_path, tokenizer, model):
    """Transformers finds each weight in the file, pads on the left and stops at the end token."""
    export(model, tokenizer, tmp_path)
    _, info = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    restored = AutoTokenizer.from_pretrained(tmp_path)
    assert (restored.padding_side, restored.eos_token, restored.pad_token) == ("left", "<|end|>", "<|pad|>")
    answers = Rewriter(tmp_path).answer(
        [prompt_request("a red star", 1), query_request(["a star", "is it red? yes"])]
    )
    assert len(answers) == 2


def test_score_counts_words_and_facts():
    """Of a red star on sand, "a blue star" says one of three facts, and one of its two is true."""
    known = parse("a red star, on the sand")
    score = Score()
    score.add("a blue star", describe(known), known)
    assert (score.exact, score.true, score.said, score.known) == (0, 1, 2, 3)


def test_expected_prompt_follows_from_the_query_text(turns):
    """The prompt of a parsed query text is the prompt of what is known, so measuring by parsing is fair."""
    known = turns[-1].known
    assert [prompt(parse(describe(known)), k) for k in (1, 2, 3)] == [prompt(known, k) for k in (1, 2, 3)]
