"""The layers of an encoder's networks, found by the names of their weights: BLIP, CLIP and BEiT-3 alike.

A tower is the first part of a name (``text_model``, ``vision_model``; BEiT-3 has one for both sides). Its
layers are ``{tower}.encoder.layers.N``, BERT's ``{tower}.encoder.layer.N``.
"""

import re
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

LAYER = re.compile(r"^(?P<tower>[^.]+)\.encoder\.layers?\.(?P<place>\d+)(?:\.|$)")
BRANCH = re.compile(r"\.\d+\.(self_attn|mlp|ffn\.[AB]|attention\.output\.dense|output\.dense)$")
EMBEDDING = re.compile(r"embed|pre_layrnorm")  # the misspelt norm stands between CLIP's patches and layers


def tower_depths(names: list[str]) -> dict[str, int]:
    """Return how many layers each tower has."""
    depths: dict[str, int] = {}
    for found in filter(None, map(LAYER.match, names)):
        depths[found["tower"]] = max(depths.get(found["tower"], 0), int(found["place"]) + 1)
    return depths


def layer_scale(name: str, depths: dict[str, int], decay: float) -> float:
    """Return the share of the learning rate that a weight gets, as BEiT-3's own fine-tuning does it.

    The last of L layers gets ``decay``, the first decay^L, the embeddings decay^(L + 1), and whatever stands
    behind the layers (last norm, projection, logit scale) all of it.
    """
    found, depth = LAYER.match(name), depths.get(name.partition(".")[0])
    if found and depth:
        return decay ** (depth - int(found["place"]))
    return decay ** (depth + 1) if depth and EMBEDDING.search(name) else 1.0


def add_drop_path(network: nn.Module, rate: float) -> int:
    """Let each item of a batch skip residual branches at random while training; return how many can be.

    A branch of layer n of L is skipped with probability rate * n / (L - 1), and scaled up where it is not
    (stochastic depth, Huang et al. 2016). None of the three model classes has this by itself: it hangs on
    the outputs of their attention and feed-forward modules, of BLIP's text side on the projections before
    the sum.
    """
    modules = dict(network.named_modules())
    depths, count = tower_depths(list(modules)), 0
    for name, module in modules.items():
        found = LAYER.match(name)
        if found and BRANCH.search(name) and "crossattention" not in name:
            last = max(depths[found["tower"]] - 1, 1)
            module.register_forward_hook(partial(_drop, rate=rate * int(found["place"]) / last))
            count += 1
    return count


def _drop(module: nn.Module, inputs: Any, output: Any, rate: float) -> Any:
    if not module.training or rate == 0:
        return output
    branch_BTD = output[0] if isinstance(output, tuple) else output
    kept_B11 = torch.empty(len(branch_BTD), 1, 1, device=branch_BTD.device).bernoulli_(1 - rate)
    scaled_BTD: Tensor = branch_BTD * (kept_B11 / (1 - rate)).to(branch_BTD.dtype)
    return (scaled_BTD, *output[1:]) if isinstance(output, tuple) else scaled_BTD


def checkpoint_layers(network: nn.Module) -> int:
    """Compute each layer again in the backward pass instead of keeping what is in it; return how many."""
    count = 0
    for name, module in network.named_modules():
        found = LAYER.match(name)
        if found and name.endswith(f".{found['place']}") and name.count(".") == 3:
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)
            count += 1
    return count
