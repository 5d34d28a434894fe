"""BLIP's weights in the layout of its own programs, and the transformers model that they fill.

Shape suffixes: T tokens, D width, H height, W width of a grid.
"""

import math
import re
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import BlipConfig, BlipForImageTextRetrieval

from daitir.convert.checkpoints import require_exact
from daitir.errors import DaitirError

DROPPED = re.compile(
    r"(visual_encoder|text_encoder|vision_proj|text_proj)_m\..*"  # momentum copies
    r"|(image|text|idx|ptr)_queue|queue_ptr|temp"  # of the contrastive loss
    r"|text_decoder\..*"  # of pretrained checkpoints: captions
    r"|text_encoder\.embeddings\.position_ids"  # 0, 1, 2, ...
)
# The vision model's names there and here; the text model's and the heads' are the same.
RENAMED = (
    ("vision_model.embeddings.class_embedding", "visual_encoder.cls_token"),
    ("vision_model.embeddings.position_embedding", "visual_encoder.pos_embed"),
    ("vision_model.embeddings.patch_embedding.", "visual_encoder.patch_embed.proj."),
    ("vision_model.post_layernorm.", "visual_encoder.norm."),
    ("vision_model.encoder.layers.", "visual_encoder.blocks."),
    (".layer_norm", ".norm"),
    (".self_attn.projection.", ".attn.proj."),
    (".self_attn.", ".attn."),
)
POSITIONS = "visual_encoder.pos_embed"
VISION_LAYERS = ("visual_encoder.blocks", "mlp.fc1.weight")  # and the widest weight of a layer
TEXT_LAYERS = ("text_encoder.encoder.layer", "intermediate.dense.weight")
WORDS, PLACES = (f"text_encoder.embeddings.{name}_embeddings.weight" for name in ("word", "position"))
HEAD_WIDTH = 64  # ViT-B 768/12, ViT-L 1024/16 and BERT 768/12 all have heads of this width
VISION_EPSILON, TEXT_EPSILON = 1e-6, 1e-12  # of the layer norms; transformers' default for vision is 1e-5


def image_size_of(state: dict[str, Tensor], path: Path) -> int:
    """Return the pixels a side that a checkpoint is made for: its grid of positions times its patch."""
    cells, patch = state[POSITIONS].shape[1] - 1, _patch(state, path)
    grid = math.isqrt(cells)
    if cells < 1 or grid * grid != cells:
        raise DaitirError(f"{path}: {POSITIONS!r} has {cells} positions, which are no square grid")
    return grid * patch


def build_model(state: dict[str, Tensor], size: int, tokenizer: Any, path: Path) -> BlipForImageTextRetrieval:
    """Return the model with the weights of a checkpoint in the original layout, for images of ``size``."""
    patch = _patch(state, path)
    if size < patch or size % patch:
        raise DaitirError(f"--image-size {size} is no multiple of the checkpoint's patch of {patch} pixels")
    resized = state | {POSITIONS: resize_positions(state[POSITIONS], size // patch)}
    model = BlipForImageTextRetrieval(config_of(resized, size, patch, tokenizer, path)).eval()
    names = {name: original_name(name) for name in model.state_dict()}
    shapes = {names[name]: tensor.shape for name, tensor in model.state_dict().items()}
    require_exact(resized, shapes, path)
    model.load_state_dict({name: resized[original] for name, original in names.items()})
    return model


def original_name(name: str) -> str:
    """Return the checkpoint's name of a weight of transformers' model."""
    if name.startswith("vision_model."):
        for here, there in RENAMED:
            name = name.replace(here, there)
    return name


def resize_positions(positions_1TD: Tensor, grid: int) -> Tensor:
    """Return position embeddings for ``grid`` x ``grid`` patches (bicubic); the class token's is kept."""
    width = positions_1TD.shape[-1]
    own = math.isqrt(positions_1TD.shape[1] - 1)
    if own == grid:
        return positions_1TD
    class_11D, patches = positions_1TD[:, :1], positions_1TD[:, 1:]
    cells_1DHW = patches.reshape(1, own, own, width).permute(0, 3, 1, 2)
    resized_1DHW = F.interpolate(cells_1DHW, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([class_11D, resized_1DHW.permute(0, 2, 3, 1).reshape(1, grid * grid, width)], dim=1)


def config_of(state: dict[str, Tensor], size: int, patch: int, tokenizer: Any, path: Path) -> BlipConfig:
    """Return the architecture that the shapes of a checkpoint show."""
    words = weight_of(state, WORDS, path)
    vision = {
        **_transformer(state, *VISION_LAYERS, state[POSITIONS].shape[-1], path),
        "image_size": size,
        "patch_size": patch,
        "layer_norm_eps": VISION_EPSILON,
    }
    text = {
        **_transformer(state, *TEXT_LAYERS, words.shape[1], path),
        "vocab_size": words.shape[0],
        "max_position_embeddings": weight_of(state, PLACES, path).shape[0],
        "layer_norm_eps": TEXT_EPSILON,
        "bos_token_id": tokenizer.convert_tokens_to_ids("[DEC]"),
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    joint = weight_of(state, "vision_proj.weight", path).shape[0]
    return BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=joint)


def _transformer(
    state: dict[str, Tensor], layers: str, widest: str, width: int, path: Path
) -> dict[str, int]:
    """Return width, depth and heads of a transformer whose layers are called ``layers.N``."""
    numbers = {int(found[1]) for name in state if (found := re.match(rf"{re.escape(layers)}\.(\d+)\.", name))}
    if width % HEAD_WIDTH:
        raise DaitirError(f"{path}: {layers!r} are {width} wide, no multiple of {HEAD_WIDTH}: is it a BLIP?")
    return {
        "hidden_size": width,
        "num_hidden_layers": max(numbers, default=-1) + 1,
        "num_attention_heads": width // HEAD_WIDTH,
        "intermediate_size": weight_of(state, f"{layers}.0.{widest}", path).shape[0],
    }


def _patch(state: dict[str, Tensor], path: Path) -> int:
    return int(weight_of(state, "visual_encoder.patch_embed.proj.weight", path).shape[-1])


def weight_of(state: dict[str, Tensor], name: str, path: Path) -> Tensor:
    """Return a weight that shows the architecture."""
    if name not in state or state[name].ndim < 1:
        raise DaitirError(f"{path}: weight {name!r} is missing: is it a checkpoint of this layout?")
    return state[name]
