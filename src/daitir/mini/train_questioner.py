"""Trains mini-questioner: a small chat model that asks the next question of a dialogue."""

import random
from collections.abc import Iterator
from functools import partial

import torch
from transformers import PreTrainedTokenizerFast

from daitir.mini.optimizers import MuonAndAdam
from daitir.mini.packing import Chat
from daitir.mini.questions import draw_chats, sample_texts
from daitir.mini.train_llm import Chatting, Reader, build_model, export, keep_tokenizer, matrices_and_others
from daitir.mini.trainer import Plan, command_line, train

HEADS, LAYERS, READ_AT = 4, 4, 2
ROWS, LENGTH = 8, 352  # two of the longest dialogues with their questions fit a row
LONGEST_QUESTION = 24


def asking(tokenizer: PreTrainedTokenizerFast, step: int, rng: random.Random) -> Iterator[Chat]:
    """The chats of a step; all steps are alike."""
    return draw_chats(rng, tokenizer)


def main() -> None:
    """Train or resume, then write the model directory."""
    parser = command_line("Train mini-questioner, who asks in the simulated dialogues of mini.", steps=2500)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    plan = Plan(arguments.steps, learning_rate=2e-3, warmup=100, seed=arguments.seed, device=arguments.device)
    tokenizer = keep_tokenizer(arguments.scratch / "tokenizer", sample_texts(2000))
    chat = build_model(tokenizer, HEADS, LAYERS, LONGEST_QUESTION)
    model = Reader(chat, READ_AT)
    optimizer = MuonAndAdam(*matrices_and_others(model.to(plan.device)))
    lesson = Chatting(model, partial(asking, tokenizer), arguments.device, ROWS, LENGTH)
    train(model, lesson, plan, arguments.scratch, optimizer)
    export(model.chat, tokenizer, arguments.output)


if __name__ == "__main__":
    main()
