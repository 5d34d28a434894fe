"""A tiny BLIP in the layout of BLIP's own programs, and its retrieval features in plain torch operations.

Nothing of the package or of transformers' models is used: this is what a conversion is measured against.
"""

import math

import torch
import torch.nn.functional as F

WIDTH, HEADS, DEPTH, TEXT_DEPTH, JOINT = 128, 2, 3, 2, 16
PATCH, GRID, PLACES, WORDS = 8, 4, 40, 30
INNER = 192


def state(words=WORDS, grid=GRID):
    """Random weights under the original names, with what only training needs beside them."""
    generator = torch.Generator().manual_seed(7)

    def random(*shape):
        return torch.randn(shape, generator=generator) * 0.15

    made = {
        "visual_encoder.cls_token": random(1, 1, WIDTH),
        "visual_encoder.pos_embed": random(1, grid * grid + 1, WIDTH),
        "visual_encoder.patch_embed.proj.weight": random(WIDTH, 3, PATCH, PATCH),
        "visual_encoder.patch_embed.proj.bias": random(WIDTH),
        "text_encoder.embeddings.word_embeddings.weight": random(words, WIDTH),
        "text_encoder.embeddings.position_embeddings.weight": random(PLACES, WIDTH),
        "text_encoder.embeddings.position_ids": torch.arange(PLACES)[None],
    }

    def linear(name, inner, outer):
        made[f"{name}.weight"], made[f"{name}.bias"] = random(outer, inner), random(outer)

    def norm(name):
        made[f"{name}.weight"], made[f"{name}.bias"] = 1 + random(WIDTH), random(WIDTH)

    for number in range(DEPTH):
        block = f"visual_encoder.blocks.{number}"
        norm(f"{block}.norm1")
        norm(f"{block}.norm2")
        linear(f"{block}.attn.qkv", WIDTH, 3 * WIDTH)
        linear(f"{block}.attn.proj", WIDTH, WIDTH)
        linear(f"{block}.mlp.fc1", WIDTH, INNER)
        linear(f"{block}.mlp.fc2", INNER, WIDTH)
    norm("visual_encoder.norm")
    norm("text_encoder.embeddings.LayerNorm")
    for number in range(TEXT_DEPTH):
        layer = f"text_encoder.encoder.layer.{number}"
        for attention in (f"{layer}.attention", f"{layer}.crossattention"):
            for part in ("self.query", "self.key", "self.value", "output.dense"):
                linear(f"{attention}.{part}", WIDTH, WIDTH)
            norm(f"{attention}.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", WIDTH, INNER)
        linear(f"{layer}.output.dense", INNER, WIDTH)
        norm(f"{layer}.output.LayerNorm")
    linear("vision_proj", WIDTH, JOINT)
    linear("text_proj", WIDTH, JOINT)
    linear("itm_head", WIDTH, 2)
    return made


def of_training():
    """What training keeps beside the weights: momentum copies, queues, the temperature, a decoder."""
    return {
        "visual_encoder_m.cls_token": torch.zeros(1, 1, WIDTH),
        "text_encoder_m.embeddings.position_ids": torch.arange(PLACES)[None],
        "vision_proj_m.weight": torch.zeros(JOINT, WIDTH),
        "text_proj_m.bias": torch.zeros(JOINT),
        "image_queue": torch.zeros(JOINT, 4),
        "text_queue": torch.zeros(JOINT, 4),
        "idx_queue": torch.full((1, 4), -100),
        "ptr_queue": torch.zeros(1, dtype=torch.long),
        "queue_ptr": torch.zeros(1, dtype=torch.long),
        "temp": torch.tensor(0.07),
        "text_decoder.cls.predictions.bias": torch.zeros(WORDS),
    }


def image_features(weights, pixels):
    """Features (B x JOINT) of prepared pictures (B x 3 x H x W): vision_proj of the first token."""
    name = "visual_encoder.patch_embed.proj"
    patches = F.conv2d(pixels, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=PATCH)
    hidden = patches.flatten(2).transpose(1, 2)
    first = weights["visual_encoder.cls_token"].repeat(len(hidden), 1, 1)
    hidden = torch.cat([first, hidden], dim=1) + weights["visual_encoder.pos_embed"]
    for number in range(DEPTH):
        block = f"visual_encoder.blocks.{number}"
        parts = _linear(weights, f"{block}.attn.qkv", _norm(weights, f"{block}.norm1", hidden, 1e-6)).chunk(
            3, -1
        )
        hidden = hidden + _linear(weights, f"{block}.attn.proj", _attention(*parts))
        inner = F.gelu(_linear(weights, f"{block}.mlp.fc1", _norm(weights, f"{block}.norm2", hidden, 1e-6)))
        hidden = hidden + _linear(weights, f"{block}.mlp.fc2", inner)
    hidden = _norm(weights, "visual_encoder.norm", hidden, 1e-6)
    return F.normalize(_linear(weights, "vision_proj", hidden[:, 0]), dim=-1)


def text_features(weights, ids):
    """Features (1 x JOINT) of the tokens of one text: text_proj of the first token, no cross-attention."""
    hidden = weights["text_encoder.embeddings.word_embeddings.weight"][ids][None]
    hidden = hidden + weights["text_encoder.embeddings.position_embeddings.weight"][: len(ids)]
    hidden = _norm(weights, "text_encoder.embeddings.LayerNorm", hidden, 1e-12)
    for number in range(TEXT_DEPTH):
        layer = f"text_encoder.encoder.layer.{number}"
        own = f"{layer}.attention"
        parts = [_linear(weights, f"{own}.self.{part}", hidden) for part in ("query", "key", "value")]
        attended = _linear(weights, f"{own}.output.dense", _attention(*parts))
        hidden = _norm(weights, f"{own}.output.LayerNorm", attended + hidden, 1e-12)
        inner = F.gelu(_linear(weights, f"{layer}.intermediate.dense", hidden))
        inner = _linear(weights, f"{layer}.output.dense", inner)
        hidden = _norm(weights, f"{layer}.output.LayerNorm", inner + hidden, 1e-12)
    return F.normalize(_linear(weights, "text_proj", hidden[:, 0]), dim=-1)


def _linear(weights, name, values):
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(weights, name, values, epsilon):
    centred = values - values.mean(dim=-1, keepdim=True)
    spread = (centred.square().mean(dim=-1, keepdim=True) + epsilon).sqrt()
    return centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _attention(query, key, value):
    query, key, value = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (query, key, value))
    share = (query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)).softmax(dim=-1)
    return (share @ value).transpose(1, 2).flatten(2)
