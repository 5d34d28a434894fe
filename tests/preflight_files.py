"""A small config with all its files, for the checks before a run."""

import json
from pathlib import Path

import yaml
from PIL import Image

from daitir.config import load_config
from daitir.preflight import check
from tests.posing_hub import directory

PIPELINE = {
    "model_index.json": {
        "_class_name": "StableDiffusion3Pipeline",
        "transformer": ["diffusers", "SD3Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder_3": [None, None],
    },
    "transformer/config.json": {"sample_size": 64},
    "transformer/diffusion_pytorch_model-00001-of-00002.safetensors": 0,
    "transformer/diffusion_pytorch_model-00002-of-00002.safetensors": 0,
    "vae/config.json": {"block_out_channels": [8, 8, 8, 8]},
    "vae/diffusion_pytorch_model.safetensors": 0,
}
ENCODER = {"config.json": {"image_text_hidden_size": 16}, "model.safetensors": 0}


def small_config(folder):
    """Five dialogues twice, six to train on, four images; a server writes, a pipeline draws."""
    directory(folder / "models" / "blip", ENCODER)
    directory(folder / "models" / "sd3", PIPELINE)
    (folder / "images").mkdir()
    names = [f"{number}.png" for number in range(4)]
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / "images" / name)
    (folder / "pool.json").write_text(json.dumps(names))
    for name, number in (("a", 5), ("b", 5), ("t", 6)):
        turns = [{"img": names[at % 4], "dialog": [f"caption {at}", "is it?", "no"]} for at in range(number)]
        (folder / f"{name}.json").write_text(json.dumps(turns))
    return yaml.safe_load((Path(__file__).parent / "data" / "preflight.yaml").read_text())


def checked(values, **settings):
    return check(load_config(values), **({"environment": {"THE_KEY": "secret-key-value"}} | settings))


def found(result, key):
    return [(finding.state, finding.detail) for finding in result.findings if finding.key == key]
