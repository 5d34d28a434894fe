"""Trains mini-llm: a small chat model that rewrites dialogues as captions and captions as image prompts."""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from daitir.mini.chats import build_tokenizer, draw_chats, sample_texts
from daitir.mini.optimizers import MuonAndAdam
from daitir.mini.packing import IGNORED, pack
from daitir.mini.trainer import Losses, Plan, command_line, train

ROWS, LENGTH = 16, 320
MAX_POSITIONS = 1024
LONGEST_ANSWER = 96
WHOLE_FROM = 300  # until this step the dialogues grow from their caption to all rounds


@dataclass
class Rewriting:
    """Next-token loss on the answers alone."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    device: str

    def __call__(self, step: int, rng: random.Random) -> Losses:
        """Losses of a batch; ``right`` is the share of tokens that are."""
        last_round = min(10, 1 + 9 * step // WHOLE_FROM)
        batch = pack(draw_chats(rng, self.tokenizer, last_round, rounds=5), ROWS, LENGTH)
        hidden_RTD = self.model.model(
            batch.tokens_RT.to(self.device),
            attention_mask=batch.mask_R1TT.to(self.device),
            position_ids=batch.positions_RT.to(self.device),
            use_cache=False,
        ).last_hidden_state
        learned = batch.targets_RT != IGNORED
        targets = batch.targets_RT[learned].to(self.device)
        logits = self.model.lm_head(hidden_RTD[learned.to(self.device)]).float()
        right = (logits.argmax(dim=-1) == targets).float().mean()
        return {"loss": F.cross_entropy(logits, targets), "right": right}


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama with random weights, 160 wide and 6 layers deep."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=416,
        num_hidden_layers=6,
        num_attention_heads=5,
        num_key_value_heads=5,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=LONGEST_ANSWER,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def matrices_and_others(model: LlamaForCausalLM) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The weights that Muon moves, the matrices inside the layers, and the rest."""
    matrices, others = [], []
    for name, weight in model.named_parameters():
        (matrices if ".layers." in name and weight.ndim == 2 else others).append(weight)
    return matrices, others


def export(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, output: Path) -> None:
    """Write the model directory that transformers reads."""
    model.float().cpu().save_pretrained(output)
    tokenizer.save_pretrained(output)


def main() -> None:
    """Train or resume, then write the model directory."""
    parser = command_line("Train mini-llm, the reformulator of the picture world.", steps=2000)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    plan = Plan(arguments.steps, learning_rate=2e-3, warmup=100, seed=arguments.seed, device=arguments.device)
    tokenizer = build_tokenizer(sample_texts(2000))
    model = build_model(tokenizer)
    optimizer = MuonAndAdam(*matrices_and_others(model.to(plan.device)))
    train(model, Rewriting(model, tokenizer, arguments.device), plan, arguments.scratch, optimizer)
    export(model, tokenizer, arguments.output)


if __name__ == "__main__":
    main()
