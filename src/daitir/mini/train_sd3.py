"""Train the transformer and the text encoders of mini-sd3 together, by flow matching on its own latents."""

import random
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from transformers import CLIPTokenizer

from daitir.files import atomic
from daitir.mini.language import Known, all_of, part_of, prompt
from daitir.mini.optimizers import MuonAndAdam
from daitir.mini.sd3 import LATENT_CHANNELS, LATENT_SIDE, Painter, assemble, build_tokenizer, save, tokens_of
from daitir.mini.talk import ROUNDS, hold_dialogue
from daitir.mini.train_autoencoder import pixels_of
from daitir.mini.trainer import Losses, Plan, command_line, train
from daitir.mini.world import Scene, draw_scene

STEPS = 12000
BATCH = 64
SCENES = 32_000
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
    latents = torch.empty(count, LATENT_CHANNELS, LATENT_SIDE, LATENT_SIDE, dtype=torch.bfloat16)
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


class Lesson:
    """The flow matching loss on scenes and prompts drawn at random."""

    def __init__(self, painter: Painter, tokenizer: CLIPTokenizer, latents: Tensor, fuse: bool):
        painter.transformer.set_attn_processor(PlainAttention())
        for encoder in painter.encoders:
            encoder.set_attn_implementation("eager")
        self.predict = torch.compile(painter, dynamic=False) if fuse else painter
        self.tokenizer, self.latents = tokenizer, latents

    def __call__(self, step: int, rng: random.Random) -> Losses:
        """Squared error of the velocity at logit-normal times, as SD3 is trained, a little noisier."""
        places = [rng.randrange(len(self.latents)) for _ in range(BATCH)]
        prompts = [prompt(known_of(scene_of(i), rng), rng.randint(1, 3)) for i in places]
        tokens = tokens_of(self.tokenizer, ["" if rng.random() < DROPPED else text for text in prompts])
        clean = self.latents[places].float()
        noise = torch.randn_like(clean)
        sigma = torch.sigmoid(0.25 + 1.2 * torch.randn(BATCH))
        share = sigma[:, None, None, None]
        velocity = self.predict(
            (1 - share) * clean + share * noise, tokens.to(clean.device), sigma.to(clean.device) * 1000
        )
        return {"loss": F.mse_loss(velocity.float(), noise - clean)}


def matrices_and_others(painter: Painter) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The weights that Muon moves, inside the blocks and not of their modulation, and the rest."""
    matrices, others = [], []
    for name, weight in painter.named_parameters():
        inside = "blocks." in name or "encoder.layers." in name
        (matrices if inside and weight.ndim == 2 and ".norm" not in name else others).append(weight)
    return matrices, others


def export(
    weights: dict[str, Tensor], tokenizer: CLIPTokenizer, autoencoder: AutoencoderKL, output: Path
) -> None:
    """Write the pipeline with these weights of a Painter."""
    painter = Painter(len(tokenizer)).eval()
    painter.load_state_dict(weights)
    save(assemble(painter, tokenizer, autoencoder), output)


def averaged_weights(painter: Painter, checkpoint: Path) -> dict[str, Tensor]:
    """What a run that is still going has learnt so far."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    names = [name for name, weight in painter.named_parameters() if weight.requires_grad]
    return state["model"] | dict(zip(names, state["mean"], strict=True))


def main() -> None:
    """Train, or export a snapshot of a training, by the command line."""
    parser = command_line("Train mini-sd3.", STEPS)
    parser.add_argument(
        "--autoencoder", type=Path, required=True, help="directory that train_autoencoder wrote"
    )
    parser.add_argument("--snapshot", action="store_true", help="only export what the last checkpoint holds")
    parser.add_argument(
        "--fuse", action="store_true", help="let torch.compile fuse the step: a fifth faster after minutes"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    autoencoder = AutoencoderKL.from_pretrained(arguments.autoencoder).eval()
    tokenizer = build_tokenizer()
    painter = Painter(len(tokenizer))
    if arguments.snapshot:
        weights = averaged_weights(painter, arguments.scratch / "checkpoint.pt")
    else:
        latents = encode_scenes(autoencoder, SCENES, arguments.scratch / "latents.pt").to(arguments.device)
        plan = Plan(
            arguments.steps,
            learning_rate=2e-3,
            ema=0.999,
            seed=arguments.seed,
            device=arguments.device,
            cooldown=0.4,
        )
        optimizer = MuonAndAdam(*matrices_and_others(painter.to(plan.device)))
        lesson = Lesson(painter, tokenizer, latents, arguments.fuse)
        weights = train(painter, lesson, plan, arguments.scratch, optimizer).state_dict()
    export(weights, tokenizer, autoencoder, arguments.output)


if __name__ == "__main__":
    main()
