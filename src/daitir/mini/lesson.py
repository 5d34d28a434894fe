"""What mini-sd3 learns from: flow matching on latents, and in passing to say what it is about to paint.

A squared error over the whole picture hardly tells a transformer whether the small star is red. So a
teller, one linear layer on the states halfway through, must name the thing in each cell of the clean
picture; it is thrown away afterwards. First come steps on pictures alone; then the words, with noisier
times, at which only the prompt knows what to paint, and with the teller; in the end prompts that mostly
know as little as dialogues tell.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from transformers import CLIPTokenizer

from daitir.mini.language import Known, all_of, part_of, prompt
from daitir.mini.sd3 import LATENT_CHANNELS, LATENT_SIDE, WIDTH, Painter, tokens_of
from daitir.mini.talk import ROUNDS, hold_dialogue
from daitir.mini.trainer import Losses
from daitir.mini.world import COLOURS, PLACES, SHAPES, SIZES, Scene, draw_scene

BATCH = 64
DROPPED = 0.1  # share of the prompts that are left empty, for guidance
WORDS_FROM, DIALOGUES_FROM = 1200, 2826  # steps
TOLD_AFTER = 1  # block whose states the teller reads
TOLD_WEIGHT = 0.1
NAMES = (("nothing", *SHAPES), tuple(COLOURS), tuple(SIZES))


def scene_of(i: int) -> Scene:
    """The i-th scene that the generator learns from."""
    return draw_scene(random.Random(f"painting/{i}"), "models")


def known_of(scene: Scene, rng: random.Random, told: float) -> Known:
    """What a prompt may know: with probability ``told`` what a dialogue told, else a random part, or all."""
    chance = rng.random()
    if chance < told:
        return hold_dialogue(scene, rng)[rng.randrange(ROUNDS + 1)].known
    if chance < told + (1 - told) / 3:
        return replace(all_of(scene), things=tuple(rng.sample(scene.things, 3)))
    return part_of(scene, rng, rng.uniform(0.5, 1))


class PlainAttention:
    """Joint attention in plain products: with heads so small, twice as fast to train as the fused one."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend over picture and words at once, as diffusers' own processor does."""

        def heads(states: Tensor) -> Tensor:
            return states.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        picture, words = hidden_states, encoder_hidden_states
        query = torch.cat(
            [attn.norm_q(heads(attn.to_q(picture))), attn.norm_added_q(heads(attn.add_q_proj(words)))], 2
        )
        key = torch.cat(
            [attn.norm_k(heads(attn.to_k(picture))), attn.norm_added_k(heads(attn.add_k_proj(words)))], 2
        )
        value = torch.cat([heads(attn.to_v(picture)), heads(attn.add_v_proj(words))], 2)
        weights = (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).softmax(-1)
        joint = (weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)
        picture, words = joint[:, : picture.shape[1]], joint[:, picture.shape[1] :]
        return attn.to_out[0](picture), words if attn.context_pre_only else attn.to_add_out(words)


class Student(nn.Module):
    """The painter and its teller."""

    def __init__(self, painter: Painter):
        super().__init__()
        self.painter = painter
        self.teller = nn.Linear(4 * WIDTH, sum(map(len, NAMES)))

    def forward(self, noisy: Tensor, tokens: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """The velocity, as the painter has it, and batch x 9 cells x names as the teller has them."""
        words, pooled = self.painter.read(tokens)
        paint = self.painter.transformer
        picture, words = paint.pos_embed(noisy), paint.context_embedder(words)
        time = paint.time_text_embed(timestep, pooled)
        for depth, block in enumerate(paint.transformer_blocks):
            words, picture = block(hidden_states=picture, encoder_hidden_states=words, temb=time)
            if depth == TOLD_AFTER:
                told = self.teller(cells_of(picture))
        patches = paint.proj_out(paint.norm_out(picture, time))
        half = LATENT_SIDE // 2
        patches = patches.unflatten(1, (half, half)).unflatten(-1, (2, 2, LATENT_CHANNELS))
        return patches.permute(0, 5, 1, 3, 2, 4).reshape(noisy.shape), told


def cells_of(tokens: Tensor) -> Tensor:
    """Batch x 36 tokens x width as batch x 9 cells x (4 tokens of each)."""
    grid = tokens.unflatten(1, (3, 2, 3, 2)).permute(0, 1, 3, 2, 4, 5)
    return grid.flatten(3).flatten(1, 2)


def names_in(scene: Scene) -> list[list[int]]:
    """For each place the numbers of the thing's shape, colour and size; -1 where there is nothing to name."""
    at = {thing.place: thing for thing in scene.things}
    return [
        [
            names.index(name)
            for names, name in zip(NAMES, (at[place].shape, at[place].colour, at[place].size), strict=True)
        ]
        if place in at
        else [0, -1, -1]
        for place in PLACES
    ]


class Lesson:
    """The losses on scenes and prompts drawn at random."""

    def __init__(self, student: Student, tokenizer: CLIPTokenizer, latents: Tensor, fuse: bool):
        student.painter.transformer.set_attn_processor(PlainAttention())
        for encoder in student.painter.encoders:
            encoder.set_attn_implementation("eager")  # type: ignore[operator] # a list of modules hides their class
        self.student: Callable[..., Any] = torch.compile(student, dynamic=False) if fuse else student
        self.tokenizer, self.latents = tokenizer, latents

    def __call__(self, step: int, rng: random.Random) -> Losses:
        """Squared error of the velocity at logit-normal times, as in SD3, and what the teller gets wrong."""
        device = self.latents.device
        numbers = [rng.randrange(len(self.latents)) for _ in range(BATCH)]
        scenes = [scene_of(i) for i in numbers]
        told = 0.25 if step < DIALOGUES_FROM else 0.55
        prompts = [prompt(known_of(scene, rng, told), rng.randint(1, 3)) for scene in scenes]
        tokens = tokens_of(self.tokenizer, ["" if rng.random() < DROPPED else text for text in prompts])
        clean = self.latents[numbers].float()
        noise = torch.randn(clean.shape).to(device)
        noisiness = 0.25 if step < WORDS_FROM else 1.0
        sigma = torch.sigmoid(noisiness + 1.2 * torch.randn(BATCH)).to(device)
        share = sigma[:, None, None, None]
        velocity, names_told = self.student(
            (1 - share) * clean + share * noise, tokens.to(device), sigma * 1000
        )
        painted = F.mse_loss(velocity.float(), noise - clean)
        names = torch.tensor([names_in(scene) for scene in scenes]).to(device)
        parts = names_told.float().flatten(0, 1).split([len(names) for names in NAMES], dim=-1)
        wrong = [
            F.cross_entropy(part, name, ignore_index=-1)
            for part, name in zip(parts, names.flatten(0, 1).unbind(-1), strict=True)
        ]
        weight = TOLD_WEIGHT if step >= WORDS_FROM else 0.0
        shown = dict(zip(("shape", "colour", "size"), wrong, strict=True))
        return {"loss": painted + weight * sum(wrong), "painted": painted, **shown}
