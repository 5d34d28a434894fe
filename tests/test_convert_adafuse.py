"""Checkpoints of ADaFuSE's own training become weights that fuse as theirs do."""

import math

import pytest
import torch
import torch.nn.functional as F

from daitir.convert.__main__ import main
from daitir.errors import DaitirError
from daitir.fusions import load_fusion
from daitir.fusions.base import fuse_in_blocks, mean_image
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import AdafuseReleasedOptions
from daitir.fusions.trained import released_network
from daitir.weights import read_weights, write_weights

WIDTH, PROJECTION, HIDDEN, EXPERTS = 16, 24, 32, 4


def linear(name, inputs, outputs):
    bound = 1 / math.sqrt(inputs)
    return {
        f"{name}.weight": torch.empty(outputs, inputs).uniform_(-bound, bound),
        f"{name}.bias": torch.empty(outputs).uniform_(-bound, bound),
    }


def published(seed=0):
    """Random weights by the names of the published module."""
    torch.manual_seed(seed)
    joint = 2 * PROJECTION
    layers = [
        ("text_projection_layer", WIDTH, PROJECTION),
        ("image_projection_layer", WIDTH, PROJECTION),
        ("dynamic_scalar.0", joint, HIDDEN),
        ("dynamic_scalar.3", HIDDEN, 1),
        *((f"experts.{expert}.0", joint, HIDDEN) for expert in range(EXPERTS)),
        ("moe_router.0", joint, HIDDEN // 4),
        ("moe_router.2", HIDDEN // 4, EXPERTS),
        ("output_layer", HIDDEN, WIDTH),
    ]
    state = {"logit_scale": torch.tensor(4.1)}
    for layer in layers:
        state |= linear(*layer)
    return state


def fuse_by_hand(state, text_BD, image_BD):
    """The formulas in plain operations; return query, gate and router."""

    def layer(name, inputs):
        return inputs @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def gelu(x):
        return x * (1 + torch.erf(x / math.sqrt(2))) / 2

    joint = torch.cat(
        [gelu(layer("text_projection_layer", text_BD)), gelu(layer("image_projection_layer", image_BD))], 1
    )
    gate_B1 = 1 / (1 + (-layer("dynamic_scalar.3", gelu(layer("dynamic_scalar.0", joint)))).exp())
    likes_BE = layer("moe_router.2", gelu(layer("moe_router.0", joint))).exp()
    router_BE = likes_BE / likes_BE.sum(dim=1, keepdim=True)
    mixed = sum(router_BE[:, [e]] * gelu(layer(f"experts.{e}.0", joint)) for e in range(EXPERTS))
    query_BD = gate_B1 * text_BD + (1 - gate_B1) * image_BD + layer("output_layer", mixed)
    return query_BD / query_BD.norm(dim=1, keepdim=True), gate_B1[:, 0], router_BE


def convert(tmp_path, checkpoint, *arguments):
    torch.save(checkpoint, tmp_path / "theirs.pt")
    main(["adafuse", str(tmp_path / "theirs.pt"), str(tmp_path / "out"), *arguments])
    return tmp_path / "out" / "model.safetensors"


def training(weights, average=None):
    """What their training saves."""
    optimiser = torch.optim.AdamW([torch.zeros(2, requires_grad=True)]).state_dict()
    found = {"epoch": 3, "optimizer_state_dict": optimiser, "scaler_state_dict": {"scale": 1.0}}
    found |= {"best_recall_at_10": 61.5, "training_mode": "Adafuse_only", "Adafuse_state_dict": weights}
    return found | ({"Adafuse_ema_state_dict": average} if average else {})


def require_same_values(weights, state, seed=5):
    torch.manual_seed(seed)
    text_BD = F.normalize(torch.randn(20, WIDTH), dim=-1)
    images_BKD = F.normalize(torch.randn(20, 3, WIDTH), dim=-1)
    fusion = load_fusion(AdafuseReleasedOptions(weights=weights), weights)
    fused = fuse_in_blocks(fusion.fuse, text_BD, images_BKD, torch.zeros(20))
    for ours, theirs in zip(fused, fuse_by_hand(state, text_BD, mean_image(images_BKD)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_values_are_those_of_the_published_weights(tmp_path, capsys, seed):
    """Query, gate and router are what plain operations give with the checkpoint's weights, to 1e-6."""
    state = published(seed)
    weights = convert(tmp_path, training(state))
    require_same_values(weights, state)
    tensors, record = read_weights(weights)
    assert tensors["log_scale"].item() == pytest.approx(4.1)
    assert (record["encoder"], record["options"]["seed"]) == (None, 0)
    count = sum(tensor.numel() for tensor in state.values())
    assert f"ADaFuSE for features of 16, {count:,} weights from theirs.pt" in capsys.readouterr().out


def test_average_plain_weights_and_wrapped_names(tmp_path):
    """The moving average on demand; a file of weights alone; names behind ``module.``."""
    state, average = published(0), published(1)
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    require_same_values(convert(folders[0], training(state, average), "--average"), average)
    require_same_values(convert(folders[1], state), state)
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    require_same_values(convert(folders[2], training(wrapped)), state)


@pytest.mark.parametrize(
    ("checkpoint", "arguments", "message"),
    [
        (training(published()), ["--average"], "give a checkpoint with `Adafuse_ema_state_dict` in it"),
        (published(), ["--average"], "holds no weights: give a checkpoint with `Adafuse_ema_state_dict`"),
        (published() | {"extra.bias": torch.zeros(2)}, [], "1 weights are left over, .* 'extra.bias'"),
        (
            {name: tensor for name, tensor in published().items() if name != "moe_router.2.weight"},
            [],
            r"lacks 'moe_router\.2\.weight'",
        ),
        (
            published() | {"output_layer.bias": torch.zeros(3)},
            [],
            r"'output_layer\.bias' is 3, the model has 16",
        ),
        (published() | {"logit_scale": torch.tensor(float("nan"))}, [], "'logit_scale' is not finite"),
        ({"fc.weight": torch.zeros(2, 2)}, [], "is it a checkpoint of this layout"),
    ],
)
def test_what_is_no_such_checkpoint(tmp_path, checkpoint, arguments, message):
    """What is left over, missing or of another shape has the checkpoint's name; nothing is written."""
    with pytest.raises(DaitirError, match=message):
        convert(tmp_path, checkpoint, *arguments)
    assert not (tmp_path / "out").exists()


def test_converted_weights_are_of_their_kind_alone(tmp_path):
    """Weights that were trained here are none that others trained; and they fit features of one width."""
    weights = convert(tmp_path, published())
    with pytest.raises(DaitirError, match="8 wide but the fusion was trained on 16"):
        load_fusion(AdafuseReleasedOptions(), weights).fuse(
            torch.zeros(2, 8), torch.zeros(2, 1, 8), torch.zeros(2)
        )
    tensors, record = read_weights(weights)
    write_weights(tmp_path / "own", tensors, record | {"options": {"fusion": {"kind": "adafuse"}, "seed": 0}})
    with pytest.raises(DaitirError, match="is no converted ADaFuSE"):
        load_fusion(AdafuseReleasedOptions(), tmp_path / "own")
    with pytest.raises(DaitirError, match="give its --weights"):
        load_fusion(AdafuseReleasedOptions())


def test_the_published_sizes():
    """Sizes are read from the weights: the published ones make a network of 11,812,614."""
    with torch.device("meta"):
        tensors = Adafuse(256, 512, 2048, 4, 0.2).state_dict()
        network = released_network(tensors)
    assert sum(weight.numel() for weight in network.parameters()) == 11_812_614
