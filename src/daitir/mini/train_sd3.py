"""Train the transformer and the text encoders of mini-sd3 together, by flow matching on its own latents."""

import random
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPTokenizer

from daitir.files import atomic
from daitir.mini.lesson import Lesson, Student, scene_of
from daitir.mini.optimizers import MuonAndAdam
from daitir.mini.sd3 import LATENT_CHANNELS, LATENT_SIDE, Painter, assemble, build_tokenizer, save
from daitir.mini.train_autoencoder import pixels_of
from daitir.mini.trainer import Plan, command_line, train

STEPS = 6000
SCENES = 32_000


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


def matrices_and_others(student: Student) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The weights that Muon moves, inside the blocks and not of their modulation, and the rest."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weight in student.named_parameters():
        inside = "blocks." in name or "encoder.layers." in name
        (matrices if inside and weight.ndim == 2 and ".norm" not in name else others).append(weight)
    return matrices, others


def export(
    weights: dict[str, Tensor], tokenizer: CLIPTokenizer, autoencoder: AutoencoderKL, output: Path
) -> None:
    """Write the pipeline with these weights of a Student; the teller stays behind."""
    student = Student(Painter(len(tokenizer))).eval()
    student.load_state_dict(weights)
    save(assemble(student.painter, tokenizer, autoencoder), output)


def averaged_weights(student: Student, checkpoint: Path) -> dict[str, Tensor]:
    """What a run that is still going has learnt so far."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    names = [name for name, weight in student.named_parameters() if weight.requires_grad]
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
    student = Student(Painter(len(tokenizer)))
    if arguments.snapshot:
        weights = averaged_weights(student, arguments.scratch / "checkpoint.pt")
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
        optimizer = MuonAndAdam(*matrices_and_others(student.to(plan.device)))
        lesson = Lesson(student, tokenizer, latents, arguments.fuse)
        weights = train(student, lesson, plan, arguments.scratch, optimizer).state_dict()
    export(weights, tokenizer, autoencoder, arguments.output)


if __name__ == "__main__":
    main()
