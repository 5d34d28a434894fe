"""Tiny random encoders of every kind, in the formats they are published in; BLIP's is in ``tiny``."""

import io
import json
import random
from pathlib import Path

import sentencepiece
import torch
from pydantic import TypeAdapter
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, GemmaTokenizer, SiglipConfig, SiglipModel

from daitir.convert import __main__ as convert
from daitir.encoders import EncoderOptions
from daitir.encoders.networks.beit3 import Beit3Size, empty_network
from tests import tiny

LETTERS = "abcdefghijklmnopqrstuvwxyz,.?"
WIDTH = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 64}
BEIT3 = Beit3Size(
    image_size=24,
    patch_size=8,
    layers=2,
    width=128,
    heads=2,
    hidden=192,
    vocabulary=64,
    text_positions=66,
)


def save_weights(model, folder: Path, file: str) -> None:
    """Save a model of transformers; ``pytorch_model.bin`` is how older repositories hold it."""
    model.save_pretrained(folder)
    if file == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / file)


def clip(folder: Path, file: str = "model.safetensors") -> Path:
    """A CLIP of 24 px and 20 tokens, with the settings of its images as OpenAI's repositories write them."""
    torch.manual_seed(0)
    ends = ["<|startoftext|>", "<|endoftext|>"]
    merges = [("s", "t"), ("st", "a"), ("sta", "r</w>")]
    pieces = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), *(a + b for a, b in merges), *ends]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=20).save_pretrained(folder)
    text = {"vocab_size": len(pieces), "max_position_embeddings": 20, "projection_dim": 16}
    # The old number of the end-of-text token, as in OpenAI's own config.
    tokens = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    vision = {"image_size": 24, "patch_size": 8, "projection_dim": 16}
    config = CLIPConfig(
        text_config={**WIDTH, **text, **tokens, "initializer_factor": 5.0},
        vision_config={**WIDTH, **vision, "initializer_factor": 5.0},
        projection_dim=16,
    )
    save_weights(CLIPModel(config), folder, file)
    images = {
        "crop_size": 24,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": 24,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    return folder


def siglip(folder: Path) -> Path:
    """A SigLIP of 24 px and 64 tokens, with a sentencepiece model whose padding is the end token."""
    folder.mkdir(parents=True)
    (folder / "spiece.model").write_bytes(spm(pad_id=0, eos_id=1, unk_id=2, bos_id=-1))
    settings = {"tokenizer_class": "SiglipTokenizer", "do_lower_case": True, "model_max_length": 64}
    _siglip_model(folder, settings | {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"})
    return folder


def siglip2(folder: Path) -> Path:
    """A SigLIP 2 of 24 px and 64 tokens; as published, its tokenizer is Gemma's, which keeps upper case."""
    merges = [("s", "t"), ("st", "a"), ("sta", "r"), ("r", "e"), ("re", "d")]
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces = [*special, *LETTERS, *LETTERS.upper()[:26], "▁", *(a + b for a, b in merges)]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    GemmaTokenizer(vocab=vocabulary, merges=merges).save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    _siglip_model(folder, settings | {"tokenizer_class": "GemmaTokenizer", "padding_side": "right"})
    return folder


def _siglip_model(folder: Path, tokenizer: dict) -> None:
    torch.manual_seed(0)
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    text = {"vocab_size": 128, "max_position_embeddings": 64, "projection_size": 32}
    vision = {"image_size": 24, "patch_size": 8}
    model = SiglipModel(SiglipConfig(text_config={**WIDTH, **text}, vision_config={**WIDTH, **vision}))
    _scale(model, 3)
    save_weights(model, folder, "model.safetensors")
    images = {
        "do_convert_rgb": None,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "SiglipImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": 24, "width": 24},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(images))


def _scale(model, factor: float) -> None:
    """Make random projections larger, so that different texts and images are told apart."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "position" not in name:
                weight *= factor


def spm(**tokens: int) -> bytes:
    """A sentencepiece model of a few words."""
    rng, model = random.Random(0), io.BytesIO()
    lines = [" ".join(rng.choices(tiny.WORDS, k=8)) + rng.choice([".", "?", ","]) for _ in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=45,
        minloglevel=2,
        num_threads=1,
        **tokens,
    )
    return model.getvalue()


def beit3_state(size: Beit3Size = BEIT3) -> dict[str, torch.Tensor]:
    """Random weights under the published names."""
    torch.manual_seed(0)
    shapes = {name: tensor.shape for name, tensor in empty_network(size).state_dict().items()}
    norms = ("norm.weight", "norm.A.weight", "norm.B.weight", "ln.A.weight", "ln.B.weight")
    return {name: 0.3 * torch.randn(shape) + name.endswith(norms) for name, shape in shapes.items()}


def beit3(folder: Path, *arguments: str, size: Beit3Size = BEIT3) -> Path:
    """A BEiT-3 of 24 px and 64 tokens, converted from a checkpoint and a sentencepiece model."""
    source = folder.with_name(f"{folder.name}-source")
    source.mkdir(parents=True)
    torch.save({"model": beit3_state(size)}, source / "beit3.pth")
    (source / "beit3.spm").write_bytes(spm())
    files = [str(source / "beit3.pth"), str(folder), "--tokenizer", str(source / "beit3.spm")]
    convert.main(["beit3", *files, *arguments])
    return folder


MAKERS = {"blip": tiny.blip, "clip": clip, "siglip": siglip, "siglip2": siglip2, "beit3": beit3}


def options_of(name: str, folder: Path, **settings) -> EncoderOptions:
    """Return the options of an encoder made by ``MAKERS[name]``; SigLIP 2 is loaded as SigLIP."""
    kind = name.removesuffix("2")
    given = {"kind": kind, "model": str(folder), "device": "cpu", "max_tokens": 16} | settings
    return TypeAdapter(EncoderOptions).validate_python(given)
