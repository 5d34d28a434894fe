"""Trains mini-llm: a small chat model that rewrites dialogues as captions and captions as image prompts."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from daitir.files import atomic
from daitir.mini.chats import build_tokenizer, draw_chats, sample_texts
from daitir.mini.optimizers import MuonAndAdam
from daitir.mini.packing import IGNORED, Chat, Packed, pack
from daitir.mini.trainer import Losses, Plan, command_line, train
from daitir.mini.world import SHAPES

ROWS, LENGTH = 14, 384  # the longest dialogue with its answers fits a row
MAX_POSITIONS = 1024
LONGEST_ANSWER = 96
INTERMEDIATE = {4: 336, 5: 416}  # width of the layers between, by heads
READ_AT = 3  # layers below the head that helps
WHOLE_FROM = 250  # until this step the dialogues grow from their caption to all rounds


class Reader(nn.Module):
    """The chat model and a linear head that helps to train it and is dropped afterwards.

    The head reads, half way up, which thing a token speaks of: in a turn the one that was mentioned last, in
    an answer the one being described. One head for both puts question and answer into the same code, so that
    the layers above find what was said of a thing by its name; left alone the model long mixes up things.
    """

    def __init__(self, chat: LlamaForCausalLM, read_at: int = READ_AT):
        super().__init__()
        self.chat, self.read_at = chat, read_at
        self.about = nn.Linear(chat.config.hidden_size, len(SHAPES))

    def forward(self, batch: Packed, device: str) -> tuple[Tensor, Tensor]:
        """Hidden states of the last layer and logits of the things."""
        states = self.chat.model(
            batch.tokens_RT.to(device),
            attention_mask=batch.mask_R1TT.to(device),
            position_ids=batch.positions_RT.to(device),
            use_cache=False,
            output_hidden_states=True,
        )
        return states.last_hidden_state, self.about(states.hidden_states[self.read_at])


@dataclass
class Chatting:
    """Next-token loss on the answers alone, and the loss of the things spoken of.

    ``draw`` yields endless chats for the batch of a step.
    """

    model: Reader
    draw: Callable[[int, random.Random], Iterator[Chat]]
    device: str
    rows: int = ROWS
    length: int = LENGTH

    def __call__(self, step: int, rng: random.Random) -> Losses:
        """Losses of a batch; ``right`` is the share of tokens that are."""
        batch = pack(self.draw(step, rng), self.rows, self.length)
        hidden_RTD, about_RTS = self.model(batch, self.device)
        learned_RT = (batch.targets_RT != IGNORED).to(self.device)
        targets = batch.targets_RT.to(self.device)[learned_RT]
        logits = self.model.chat.lm_head(hidden_RTD[learned_RT]).float()
        words = F.cross_entropy(logits, targets)
        about = F.cross_entropy(about_RTS.flatten(0, 1).float(), batch.about_RT.flatten().to(self.device))
        right = (logits.argmax(dim=-1) == targets).float().mean()
        return {"loss": words + 0.3 * about, "words": words, "about": about, "right": right}


def build_model(
    tokenizer: PreTrainedTokenizerFast, heads: int = 5, layers: int = 6, longest_answer: int = LONGEST_ANSWER
) -> LlamaForCausalLM:
    """A Llama with random weights, 32 wide for each of its heads."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32 * heads,
        intermediate_size=INTERMEDIATE[heads],
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=longest_answer,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def rewriting(tokenizer: PreTrainedTokenizerFast, step: int, rng: random.Random) -> Iterator[Chat]:
    """The chats of a step: the dialogues grow from their caption to all rounds."""
    return draw_chats(rng, tokenizer, last_round=min(10, 1 + 9 * step // WHOLE_FROM), rounds=4)


def keep_tokenizer(folder: Path, texts: Iterator[str]) -> PreTrainedTokenizerFast:
    """The tokenizer of this run, made at its start: a change of the language does not shift its tokens."""
    if not folder.exists():
        with atomic(folder) as unfinished:
            build_tokenizer(texts).save_pretrained(unfinished)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    for trace in ("is_local", "local_files_only"):  # how it was loaded would be saved with it
        tokenizer.init_kwargs.pop(trace, None)
    return tokenizer


def matrices_and_others(model: Reader) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The weights that Muon moves, the matrices inside the layers, and the rest."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        (matrices if ".layers." in name and weight.ndim == 2 else others).append(weight)
    return matrices, others


def export(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, output: Path) -> None:
    """Write the model directory that transformers reads."""
    model.float().cpu().save_pretrained(output)
    tokenizer.save_pretrained(output)


def main() -> None:
    """Train or resume, then write the model directory."""
    parser = command_line("Train mini-llm, the reformulator of the picture world.", steps=1500)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    plan = Plan(arguments.steps, learning_rate=2e-3, warmup=100, seed=arguments.seed, device=arguments.device)
    tokenizer = keep_tokenizer(arguments.scratch / "tokenizer", sample_texts(2000))
    model = Reader(build_model(tokenizer))
    optimizer = MuonAndAdam(*matrices_and_others(model.to(plan.device)))
    lesson = Chatting(model, partial(rewriting, tokenizer), arguments.device)
    train(model, lesson, plan, arguments.scratch, optimizer)
    export(model.chat, tokenizer, arguments.output)


if __name__ == "__main__":
    main()
