"""What mini-llm learns: dialogues and the captions and image prompts that say the same."""

import random
from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from daitir.mini.language import describe, prompt
from daitir.mini.packing import IGNORED, Branch, Chat
from daitir.mini.talk import Turn, hold_dialogue
from daitir.mini.world import SHAPES, draw_scene

QUERY = "Rewrite this dialogue as one caption.\n"
PROMPT = "Write image prompt {k}.\n"
PROMPTS = 3
STYLES = ("human", "human", "llm", "repetitive")
PAD, END, SYSTEM, USER, ASSISTANT = SPECIAL = (
    "<|pad|>",
    "<|end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
)
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def query_request(turns: Sequence[str]) -> str:
    """The user's message that asks for a query text."""
    return QUERY + "\n".join(turns)


def prompt_request(query_text: str, k: int) -> str:
    """The user's message that asks for the k-th image prompt."""
    return PROMPT.format(k=k) + query_text


def build_tokenizer(texts: Iterator[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE merged until each word of ``texts`` is one token.

    Other words fall into pieces, none is lost.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        min_frequency=1,
        special_tokens=list(SPECIAL),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=TEMPLATE,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def sample_texts(count: int, seed: int = 0) -> Iterator[str]:
    """Requests and answers in every style."""
    rng = random.Random(f"chats/{seed}")
    for _ in range(count):
        turns = draw_dialogue(rng)
        yield query_request([turn.text for turn in turns])
        yield describe(turns[-1].known)
        for k in range(1, PROMPTS + 1):
            yield prompt_request(describe(turns[-1].known), k)
            yield prompt(turns[-1].known, k)


def draw_dialogue(rng: random.Random) -> list[Turn]:
    """One dialogue about a scene on which models are trained."""
    return hold_dialogue(draw_scene(rng, "models"), rng, rng.choice(STYLES))


def draw_chats(
    rng: random.Random, tokenizer: PreTrainedTokenizerFast, last_round: int, rounds: int
) -> Iterator[Chat]:
    """Endless: of each dialogue some rounds up to ``last_round`` to rewrite, and some prompts to write."""
    encode = Encoder(tokenizer)
    while True:
        turns = draw_dialogue(rng)[: last_round + 1]
        chosen = sorted(rng.sample(range(len(turns)), min(rounds, len(turns))))
        yield encode.queries(turns, chosen)
        for k in range(1, PROMPTS + 1):
            if rng.random() < 0.15:
                yield encode.prompts(turns[rng.choice(chosen)], k)


class Encoder:
    """Turns dialogues into chats of tokens that know which thing they speak of."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        self.tokenizer = tokenizer
        self.end, self.user, self.assistant = tokenizer.convert_tokens_to_ids([END, USER, ASSISTANT])
        self.shapes = {self.encode(f" {shape}")[0]: i for i, shape in enumerate(SHAPES)}
        self.separators = {self.encode(text)[0] for text in (",", " and")}

    def encode(self, text: str) -> list[int]:
        """Tokens of a text without the marks of a chat."""
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def queries(self, turns: Sequence[Turn], rounds: Sequence[int]) -> Chat:
        """One dialogue, rewritten after each of ``rounds``."""
        trunk = [self.user, *self.encode(QUERY + turns[0].text)]
        about = self.mentioned(trunk)
        ends = [len(trunk)]
        for turn in turns[1 : max(rounds) + 1]:
            tokens = self.encode("\n" + turn.text)
            trunk += tokens
            about += self.mentioned(tokens)
            ends.append(len(trunk))
        answers = [self.encode(describe(turns[round_].known)) for round_ in rounds]
        branches = [
            self.branch(ends[round_], answer, self.described(answer))
            for round_, answer in zip(rounds, answers, strict=True)
        ]
        return Chat(trunk, about, branches)

    def prompts(self, turn: Turn, k: int) -> Chat:
        """The k-th image prompt of what is known after a turn."""
        trunk = [self.user, *self.encode(prompt_request(describe(turn.known), k))]
        answer = self.encode(prompt(turn.known, k))
        branch = self.branch(len(trunk), answer, [IGNORED] * (len(answer) + 1))
        return Chat(trunk, [IGNORED] * len(trunk), [branch])

    def branch(self, start: int, answer: list[int], about: list[int]) -> Branch:
        """The end of the request and its answer; the answer and its end are learned."""
        tokens = [self.end, self.assistant, *answer]
        return Branch(start, tokens, [IGNORED, *answer, self.end], [IGNORED, *about])

    def mentioned(self, turn: Sequence[int]) -> list[int]:
        """At each token of a turn the shape that was mentioned last."""
        about, last = [], IGNORED
        for token in turn:
            last = self.shapes.get(token, last)
            about.append(last)
        return about

    def described(self, answer: Sequence[int]) -> list[int]:
        """Before an answer and at each of its tokens the shape being described, or the next one."""
        things = [self.shapes[token] for token in answer if token in self.shapes]
        about, passed = [], 0
        for token in (self.assistant, *answer):
            passed += token in self.separators
            about.append(things[passed] if passed < len(things) else IGNORED)
        return about
