"""Train the autoencoder of mini-sd3: 48 x 48 x 3 pixels to 12 x 12 x 8 latents and back."""

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from daitir.mini.trainer import Losses, Plan, command_line, train
from daitir.mini.world import (
    BACKGROUNDS,
    PLACES,
    SHAPES,
    SIDE,
    SIZES,
    Scene,
    Thing,
    colours_on,
    draw_scene,
    render,
)

STEPS = 1600
BATCH = 16
KL_WEIGHT = 5e-7
EDGE_WEIGHT = 0.5


def build_autoencoder() -> AutoencoderKL:
    """About 0.5 million weights, convolutions alone; the side is halved twice."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=8,
        sample_size=SIDE,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )


def crowded_scene(rng: random.Random) -> Scene:
    """A scene with a thing at every place: three times as much to learn from as a scene of the world."""
    background = rng.choice(tuple(BACKGROUNDS))
    return Scene(
        background,
        tuple(
            Thing(rng.choice(SHAPES), rng.choice(colours_on(background)), rng.choice(tuple(SIZES)), place)
            for place in PLACES
        ),
    )


def pixels_of(scenes: list[Scene], rng: random.Random) -> Tensor:
    """Pictures of ``scenes`` as batch x 3 x 48 x 48 in -1 to 1, each with jitter of its own."""
    pictures = np.stack([np.asarray(render(scene, rng.getrandbits(32))) for scene in scenes])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def edges(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbouring pixels, along rows and along columns."""
    return pixels[..., 1:] - pixels[..., :-1], pixels[..., 1:, :] - pixels[..., :-1, :]


def reconstruction(model: AutoencoderKL, pixels: Tensor) -> Losses:
    """Errors of the pixels and of the edges, and a faint pull of the latents to unit variance."""
    pixels = pixels.to(model.device)
    posterior = model.encode(pixels).latent_dist
    decoded = model.decode(posterior.sample()).sample.float()
    absolute, squared = F.l1_loss(decoded, pixels), F.mse_loss(decoded, pixels)
    edge = sum(F.l1_loss(a, b) for a, b in zip(edges(decoded), edges(pixels), strict=True))
    kl = posterior.kl().float().mean()
    loss = absolute + squared + EDGE_WEIGHT * edge + KL_WEIGHT * kl
    return {"loss": loss, "absolute": absolute, "squared": squared, "kl": kl}


@torch.no_grad()
def measure_latents(model: AutoencoderKL, scenes: int = 512) -> dict[str, float]:
    """The shift and scale that bring the latents to mean 0 and variance 1, as diffusion models want them."""
    rng = random.Random("latents")
    batch = pixels_of([draw_scene(rng, "models") for _ in range(scenes)], rng)
    latents = model.encode(batch.to(model.device)).latent_dist.mode()
    return {"shift_factor": latents.mean().item(), "scaling_factor": 1 / latents.std().item()}


def train_autoencoder(plan: Plan, scratch: Path) -> AutoencoderKL:
    """Train, then note the statistics of the latents in the configuration."""
    torch.manual_seed(plan.seed)
    model = build_autoencoder()

    def loss(step: int, stream: random.Random) -> Losses:
        crowded = [crowded_scene(stream) for _ in range(BATCH // 2)]
        scenes = [draw_scene(stream, "models") for _ in range(BATCH - len(crowded))]
        return reconstruction(model, pixels_of(crowded + scenes, stream))

    train(model, loss, plan, scratch)
    model.register_to_config(**measure_latents(model))
    return model


def main() -> None:
    """Train by the command line."""
    arguments = command_line("Train the autoencoder of mini-sd3.", STEPS).parse_args()
    torch.set_num_threads(arguments.threads)
    plan = Plan(
        arguments.steps,
        learning_rate=1.5e-3,
        cooldown=0.6,
        weight_decay=0.0,
        ema=0.99,
        seed=arguments.seed,
        device=arguments.device,
    )
    train_autoencoder(plan, arguments.scratch).save_pretrained(arguments.output)


if __name__ == "__main__":
    main()
