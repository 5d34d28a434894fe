"""Train mini-sd3: its autoencoder first, then the transformer and the text encoders together by flow matching."""

import argparse
import random
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from daitir.files import atomic
from daitir.mini.language import Known, all_of, part_of, prompt
from daitir.mini.sd3 import Painter, assemble, build_tokenizer, save, tokens_of
from daitir.mini.talk import ROUNDS, hold_dialogue
from daitir.mini.train_autoencoder import pixels_of
from daitir.mini.trainer import Losses, Plan, command_line, train
from daitir.mini.world import Scene, draw_scene

STEPS = 12000
BATCH = 64
SCENES = 60_000
DROPPED = 0.1  # share of the prompts that are left empty, for guidance


def scene_of(i: int) -> Scene:
    """The i-th scene that the generator learns from."""
    return draw_scene(random.Random(f"painting/{i}"), "models")


@torch.no_grad()
def encode_scenes(autoencoder: AutoencoderKL, count: int, path: Path) -> Tensor:
    """Latents of the first ``count`` scenes in the units of the diffusion model, kept in ``path``."""
    if path.exists():
        return torch.load(path, weights_only=True)
    shift, scale = autoencoder.config.shift_factor, autoencoder.config.scaling_factor
    latents = torch.empty(count, 4, 12, 12, dtype=torch.bfloat16)
    for start in range(0, count, 256):
        places = range(start, min(start + 256, count))
        pixels = pixels_of([scene_of(i) for i in places], random.Random(start)).to(autoencoder.device)
        with torch.autocast(pixels.device.type, torch.bfloat16):
            encoded = autoencoder.encode(pixels).latent_dist.mode()
        latents[start : places.stop] = ((encoded - shift) * scale).cpu()
    with atomic(path) as partial:
        torch.save(latents, partial)
    return latents


def known_of(scene: Scene, rng: random.Random) -> Known:
    """What a prompt may know: mostly a random part, sometimes what a dialogue told, sometimes all."""
    chance = rng.random()
    if chance < 0.25:
        return hold_dialogue(scene, rng)[rng.randrange(ROUNDS + 1)].known
    if chance < 0.5:
        return replace(all_of(scene), things=tuple(rng.sample(scene.things, 3)))
    return part_of(scene, rng, rng.uniform(0.5, 1))


@dataclass(frozen=True)
class Lesson:
    """The flow matching loss on scenes and prompts drawn at random."""

    painter: Painter
    latents: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokenizer", build_tokenizer())

    def loss(self, step: int, rng: random.Random) -> Losses:
        """Squared error of the velocity at logit-normal times, as SD3 is trained."""
        device = self.painter.transformer.device
        places = [rng.randrange(len(self.latents)) for _ in range(BATCH)]
        prompts = [prompt(known_of(scene_of(i), rng), rng.randint(1, 3)) for i in places]
        prompts = ["" if rng.random() < DROPPED else text for text in prompts]
        clean = self.latents[places].float().to(device)
        noise = torch.randn(clean.shape).to(device)
        sigma = torch.sigmoid(torch.randn(BATCH)).to(device)
        share = sigma[:, None, None, None]
        noisy = (1 - share) * clean + share * noise
        tokens = tokens_of(self.tokenizer, prompts).to(device)
        velocity = self.painter(noisy, tokens, sigma * 1000)
        return {"loss": F.mse_loss(velocity.float(), noise - clean)}
