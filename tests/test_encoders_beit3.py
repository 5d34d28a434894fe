"""BEiT-3 against a forward pass written out from its published weights, and its directories."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import XLMRobertaTokenizer

from daitir.encoders import load_encoder
from daitir.errors import DaitirError
from tests.test_encoders import pictures
from tests.tiny_encoders import beit3, options_of

TEXTS = ["a red star on the left", "is there a tree, large and green?", "yes"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return beit3(tmp_path_factory.mktemp("models") / "beit3")


def norm(weights, name, x):
    """Layer norm by its definition."""
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(weights, name, x):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def transformer(weights, x, way, heads=2, layers=2):
    """All tokens (T x D) of one text or image through the layers of one way, head by head."""
    x = x + weights[f"beit3.encoder.embed_positions.{way}.weight"][2 : len(x) + 2]
    for number in range(layers):
        layer = f"beit3.encoder.layers.{number}"
        normed = norm(weights, f"{layer}.self_attn_layer_norm.{way}", x)
        query, key, value = (
            linear(weights, f"{layer}.self_attn.{part}_proj.{way}", normed).chunk(heads, dim=1)
            for part in "qkv"
        )
        seen = [
            torch.softmax(query[h] @ key[h].T / math.sqrt(query[h].shape[1]), dim=-1) @ value[h]
            for h in range(heads)
        ]
        inner = norm(weights, f"{layer}.self_attn.inner_attn_ln.{way}", torch.cat(seen, dim=1))
        x = x + linear(weights, f"{layer}.self_attn.out_proj.{way}", inner)
        normed = norm(weights, f"{layer}.final_layer_norm.{way}", x)
        hidden = linear(weights, f"{layer}.ffn.{way}.fc1", normed)
        gelu = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
        x = x + linear(
            weights, f"{layer}.ffn.{way}.fc2", norm(weights, f"{layer}.ffn.{way}.ffn_layernorm", gelu)
        )
    return norm(weights, f"beit3.encoder.layer_norm.{way}", x)


def test_texts_are_those_of_the_written_out_forward(folder):
    """Words, places from 2 on, way B, the first token, the language head; no padding at all."""
    encoder, weights = load_encoder(options_of("beit3", folder)), load_file(folder / "model.safetensors")
    encoded = encoder.encode_texts(TEXTS).features
    tokenizer = XLMRobertaTokenizer.from_pretrained(folder)
    for text, feature in zip(TEXTS, encoded, strict=True):
        words = weights["beit3.text_embed.weight"][tokenizer(text, truncation=True, max_length=16).input_ids]
        wanted = F.normalize(weights["language_head.weight"] @ transformer(weights, words, "B")[0], dim=0)
        np.testing.assert_allclose(feature, wanted.numpy(), atol=1e-5)


def test_images_are_those_of_the_written_out_forward(folder):
    """Class token and patches from left to right, way A, the first token, the vision head."""
    encoder, weights = load_encoder(options_of("beit3", folder)), load_file(folder / "model.safetensors")
    for image in pictures(3):
        pixels = torch.from_numpy(encoder.pixels(image))
        kernel = weights["beit3.vision_embed.proj.weight"].flatten(1)
        patches = [
            kernel @ pixels[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].flatten()
            + weights["beit3.vision_embed.proj.bias"]
            for row in range(3)
            for column in range(3)
        ]
        tokens = torch.stack([weights["beit3.vision_embed.cls_token"][0, 0], *patches])
        wanted = F.normalize(weights["vision_head.weight"] @ transformer(weights, tokens, "A")[0], dim=0)
        np.testing.assert_allclose(encoder.encode_images([image])[0], wanted.numpy(), atol=1e-5)


def test_the_two_ways_have_their_own_weights(folder):
    """No text is read with the weights of images."""
    encoder = load_encoder(options_of("beit3", folder))
    wanted = encoder.encode_texts(TEXTS).features
    with torch.no_grad():
        for name, weight in encoder.network.named_parameters():
            if ".A." in name or "vision" in name:
                weight.zero_()
    assert np.array_equal(encoder.encode_texts(TEXTS).features, wanted)


def edit_config(**changes):
    def edit(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"has no readable config\.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"has no readable model\.safetensors"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99),
            r"no readable model\.safetensors",
        ),
        (edit_config(model_type="blip"), "is of type 'blip', not one of kind 'beit3'"),
        (edit_config(heads=3), "heads the width"),
        (edit_config(vocabulary=40), "40 word embeddings and a tokenizer of 47 tokens"),
        (
            edit_config(image_size=32),
            r"1 weights are missing or of another shape, the first is .*positions\.A",
        ),
        (edit_config(layers=3), "the first is beit3.encoder.layers.2"),
    ],
)
def test_a_broken_directory_is_refused(folder, tmp_path, damage, message):
    """In one line with what is wrong."""
    broken = shutil.copytree(folder, tmp_path / "broken")
    damage(broken)
    with pytest.raises(DaitirError, match=message) as caught:
        load_encoder(options_of("beit3", broken))
    assert "\n" not in str(caught.value)
