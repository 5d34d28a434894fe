import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from daitir.errors import DaitirError
from daitir.fusions import load_fusion
from daitir.fusions.base import fuse_in_blocks, mean_image
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import AdafuseOptions, TrainOptions
from daitir.fusions.trained import build_network
from daitir.weights import write_weights

SMALL = AdafuseOptions(projection=16, hidden=64, experts=2, train=TrainOptions(dialogues="d"))


def count(network):
    return sum(weight.numel() for weight in network.parameters())


def test_published_size():
    """At the published sizes there are exactly 11,812,614 parameters, one of them the temperature."""
    assert count(Adafuse(256, 512, 2048, 4, 0.2)) == 11_812_614


def test_branches_are_the_two_halves():
    """Gate and experts share the projections and the temperature; what each adds sums up to the whole."""
    both, gate, experts = (count(Adafuse(32, 16, 64, 2, 0.2, name)) for name in ("both", "gate", "experts"))
    shared = 2 * (32 * 16 + 16) + 1
    assert both == gate + experts - shared


def test_temperature_starts_at_50():
    """exp(logit scale) is 50 before training."""
    assert Adafuse(8, 8, 64, 2, 0.0).log_scale.exp().item() == pytest.approx(50)


def network(branches="both", dropout=0.0):
    torch.manual_seed(0)
    return Adafuse(8, 8, 64, 3, dropout, branches).eval()


def views(rows=4, width=8, images=2):
    torch.manual_seed(1)
    return F.normalize(torch.randn(rows, width), dim=-1), F.normalize(
        torch.randn(rows, images, width), dim=-1
    )


def test_the_gate_weighs_the_text():
    """With a silent residual the query is lambda t + (1 - lambda) v; a wide open gate is the text."""
    text_BD, images_BKD = views()
    model, image_BD = network(), mean_image(images_BKD)
    nn.init.zeros_(model.mixture.residual[0].weight)
    nn.init.zeros_(model.mixture.residual[0].bias)
    nn.init.zeros_(model.gate.layers[1].weight)
    for bias, gate in ((0.0, 0.5), (math.log(3), 0.75), (50.0, 1.0)):
        nn.init.constant_(model.gate.layers[1].bias, bias)
        fused = model.fuse_pair(text_BD, image_BD)
        torch.testing.assert_close(fused.gate_B, torch.full((4,), gate))
        torch.testing.assert_close(
            fused.query_BD, F.normalize(gate * text_BD + (1 - gate) * image_BD, dim=-1)
        )


def test_the_router_mixes_the_experts():
    """A router that is sure of one expert gives that expert's residual; untaught it weighs all alike."""
    text_BD, images_BKD = views()
    image_BD = mean_image(images_BKD)
    model = network("experts")
    nn.init.zeros_(model.mixture.router[2].weight)
    nn.init.zeros_(model.mixture.router[2].bias)
    torch.testing.assert_close(model.fuse_pair(text_BD, image_BD).router_BE, torch.full((4, 3), 1 / 3))
    nn.init.constant_(model.mixture.router[2].bias[1:2], 100.0)
    joint_BJ = torch.cat([model.project_text(text_BD), model.project_image(image_BD)], dim=-1)
    residual_BD = model.mixture.residual(model.mixture.experts[1](joint_BJ))
    expected = F.normalize((text_BD + image_BD) / 2 + residual_BD, dim=-1)
    torch.testing.assert_close(model.fuse_pair(text_BD, image_BD).query_BD, expected)


@pytest.mark.parametrize(
    ("branches", "gate", "router"), [("both", True, True), ("gate", True, False), ("experts", False, True)]
)
def test_a_branch_left_out_is_null(branches, gate, router):
    """The result says what there was."""
    text_BD, images_BKD = views()
    fused = network(branches).fuse_pair(text_BD, mean_image(images_BKD))
    assert (fused.gate_B is not None, fused.router_BE is not None) == (gate, router)
    torch.testing.assert_close(fused.query_BD.norm(dim=-1), torch.ones(4))


def saved(path, options=SMALL, recorded=SMALL):
    torch.manual_seed(0)
    tensors = build_network(options, width=16).state_dict()
    write_weights(path, tensors, {"options": {"fusion": recorded.only("bytes"), "seed": 0}})
    return path


def test_a_trained_fusion_is_its_network(tmp_path):
    """Loaded weights fuse text and mean image without dropout, a query alone as among others."""
    fusion = load_fusion(SMALL, saved(tmp_path / "w.safetensors"))
    text_BD, images_BKD = views(200, 16, 3)
    round_B = torch.zeros(200)
    all_ = fuse_in_blocks(fusion.fuse, text_BD, images_BKD, round_B)
    alone = fusion.network.fuse_pair(text_BD, mean_image(images_BKD))
    torch.testing.assert_close(all_.query_BD, alone.query_BD)
    for some in (torch.tensor([7]), torch.randperm(200)[:90]):
        few = fuse_in_blocks(fusion.fuse, text_BD[some], images_BKD[some], round_B[some])
        assert all(torch.equal(column[some], part) for column, part in zip(all_, few, strict=True))


def test_weights_of_another_making_are_refused(tmp_path):
    """Weights trained with other options, with other shapes or for other features stop the work."""
    wider = SMALL.model_copy(update={"hidden": 128})
    with pytest.raises(DaitirError, match="trained with other options"):
        load_fusion(wider, saved(tmp_path / "a"))
    with pytest.raises(DaitirError, match="do not fit the network"):
        load_fusion(wider, saved(tmp_path / "b", options=SMALL, recorded=wider))
    text_BD, images_BKD = views(2, 8)
    with pytest.raises(DaitirError, match="8 wide but the fusion was trained on 16"):
        load_fusion(SMALL, saved(tmp_path / "c")).fuse(text_BD, images_BKD, torch.zeros(2))
