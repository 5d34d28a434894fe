"""Stable Diffusion 3 medium's true architecture with random weights: ``python -m bench.sd3_medium FOLDER``.

For measurements where nobody may or can fetch the weights. The sizes are those that its authors publish in
the model's configuration files; the tokenizers are mini's, whose tokens all stand in the larger vocabularies,
with CLIP's 77 places. T5 is left out, as the pipeline allows: its embeddings are zeros of the same shape, so
that drawing costs the same. ``--small`` divides the sizes, to try the script on any machine.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from bench.common import ROOT
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

MINI = ROOT / "resources/models/mini-sd3"
PLACES = 77  # of CLIP, for a text


def make_parts(small: int) -> dict[str, Any]:
    """Return the networks, with random weights."""
    heads = 24 // small
    return {
        "transformer": SD3Transformer2DModel(
            sample_size=128,
            patch_size=2,
            in_channels=16,
            num_layers=24 // small,
            attention_head_dim=64,
            num_attention_heads=heads,
            joint_attention_dim=4096,
            caption_projection_dim=64 * heads,
            pooled_projection_dim=768 + 1280,
            out_channels=16,
            pos_embed_max_size=192,
        ),
        "vae": AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=tuple(width // small for width in (128, 256, 512, 512)),
            layers_per_block=2,
            latent_channels=16,
            sample_size=1024,
            scaling_factor=1.5305,
            shift_factor=0.0609,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        "text_encoder": _clip(768, 12 // small, 12, 3072, "quick_gelu"),
        "text_encoder_2": _clip(1280, 32 // small, 20, 5120, "gelu"),
        "text_encoder_3": None,
    }


def _clip(width: int, layers: int, heads: int, inner: int, activation: str) -> CLIPTextModelWithProjection:
    config = CLIPTextConfig(
        hidden_size=width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        hidden_act=activation,
        max_position_embeddings=PLACES,
    )
    return CLIPTextModelWithProjection(config)


def write_model(folder: Path, small: int) -> None:
    """Write a model directory that loads like the published one."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    parts = make_parts(small)
    torch.set_default_dtype(torch.float32)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    empty = dict.fromkeys(("tokenizer", "tokenizer_2", "tokenizer_3"))
    StableDiffusion3Pipeline(scheduler=scheduler, **parts, **empty).save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text())
    of_mini = json.loads((MINI / "model_index.json").read_text())
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(MINI / name, folder / name)
        settings = folder / name / "tokenizer_config.json"
        told = json.loads(settings.read_text()) | {"model_max_length": PLACES}
        settings.write_text(json.dumps(told, indent=2) + "\n")
        index[name] = of_mini[name]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def main() -> None:
    """Write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--small", type=int, default=1, choices=(1, 2, 4), help="divide the sizes by it")
    call = parser.parse_args()
    write_model(call.folder, call.small)


if __name__ == "__main__":
    main()
