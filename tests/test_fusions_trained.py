"""Every fusion that is trained: how it sees K images, and how it comes back from its weights."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from daitir.errors import DaitirError
from daitir.fusions import TRAINED_KINDS, load_fusion
from daitir.fusions.base import fuse_in_blocks, mean_image
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import (
    AdafuseOptions,
    CrossAttentionOptions,
    FilmOptions,
    MlpOptions,
    RoundWeightsOptions,
    TrainOptions,
)
from daitir.fusions.trained import NETWORKS, build_network
from daitir.fusions.views import ViewAttention, average_views, seen_images
from daitir.weights import write_weights
from tests.fused import ROUND_0, awake, views

TRAIN = TrainOptions(dialogues="d")
SMALL = {
    "adafuse": AdafuseOptions(projection=16, hidden=64, experts=2, train=TRAIN),
    "top1": AdafuseOptions(projection=16, hidden=64, experts=3, routing="top1", train=TRAIN),
    "attention": AdafuseOptions(projection=16, hidden=64, experts=2, views="attention", train=TRAIN),
    "each": AdafuseOptions(projection=16, hidden=64, experts=2, views="each", train=TRAIN),
    "mlp": MlpOptions(hidden=32, train=TRAIN),
    "film": FilmOptions(hidden=32, train=TRAIN),
    "cross-attention": CrossAttentionOptions(projection=32, heads=4, hidden=32, train=TRAIN),
    "round-weights": RoundWeightsOptions(train=TRAIN),
}


def test_top1_asks_one_expert():
    """Only the expert with the greatest weight speaks, with that weight; the router still learns."""
    text_BD, images_BKD = views()
    model = awake(Adafuse(8, 8, 64, 3, 0.0, "experts", routing="top1"))
    joint_BJ = torch.cat([model.project_text(text_BD), model.project_image(images_BKD[:, 0])], dim=-1)
    weight_BE = model.mixture.router(joint_BJ)
    fused = model.fuse_pair(text_BD, images_BKD[:, 0])
    assert torch.equal(fused.router_BE.sum(dim=1), torch.ones(4))
    assert torch.equal(fused.router_BE.argmax(dim=1), weight_BE.argmax(dim=1))
    for row, expert in enumerate(weight_BE.argmax(dim=1).tolist()):
        said_H = weight_BE[row, expert] * model.mixture.experts[expert](joint_BJ[row])
        query_D = (text_BD + images_BKD[:, 0])[row] / 2 + model.mixture.residual(said_H)
        torch.testing.assert_close(fused.query_BD[row], F.normalize(query_D, dim=0))
    fused.query_BD.sum().backward()
    assert model.mixture.router[2].weight.grad.abs().max() > 0


def test_attention_over_views_by_hand():
    """Weights that see no difference give the mean; keys that agree with the query draw to that image."""
    attention = ViewAttention(2)
    text_BD = torch.tensor([[1.0, 0.0]])
    images_BKD = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    nn.init.zeros_(attention.key.weight)
    torch.testing.assert_close(attention(text_BD, images_BKD), mean_image(images_BKD))
    nn.init.eye_(attention.query.weight)
    nn.init.zeros_(attention.query.bias)
    attention.key.weight.data = torch.eye(2) * math.sqrt(2) * math.log(3)
    torch.testing.assert_close(attention(text_BD, images_BKD), torch.tensor([[3.0, 1.0]]) / math.sqrt(10))


def test_each_image_scored_and_averaged():
    """The query ranks as the mean of the scores that text and each image have with a candidate."""
    text_BD, images_BKD = views()
    model = awake(Adafuse(8, 8, 64, 3, 0.0, views="each"))
    fused = model(text_BD, images_BKD, ROUND_0)
    parts = [model.fuse_pair(text_BD, image_BD) for image_BD in images_BKD.unbind(dim=1)]
    candidates_ND = F.normalize(torch.randn(30, 8), dim=-1)
    scores_BN = torch.stack([part.query_BD @ candidates_ND.T for part in parts]).mean(dim=0)
    assert torch.equal((fused.query_BD @ candidates_ND.T).argsort(), scores_BN.argsort())
    torch.testing.assert_close(fused.gate_B, torch.stack([part.gate_B for part in parts]).mean(dim=0))
    torch.testing.assert_close(fused.router_BE, torch.stack([part.router_BE for part in parts]).mean(dim=0))


def test_one_view_is_itself():
    """With one image, each is the mean."""
    text_BD, images_BKD = views(images=1)
    one = awake(Adafuse(8, 8, 64, 2, 0.0))(text_BD, images_BKD, ROUND_0)
    each = average_views(one, images=1)
    assert all(torch.allclose(a, b) for a, b in zip(one, each, strict=True))


def test_what_is_seen_of_the_images():
    """Their mean as one image where it is taken first, else the first ones as they are."""
    _, images_BKD = views()
    mean_BD = mean_image(images_BKD[:, :2])
    assert torch.equal(seen_images(images_BKD, 2, averages=True), mean_BD[:, None])
    assert torch.equal(seen_images(images_BKD, 2, averages=False), images_BKD[:, :2])


@pytest.mark.parametrize("name", SMALL)
def test_loaded_weights_fuse_each_query_by_itself(tmp_path, name):
    """Every kind comes back from its weights, and a query's bits do not hang on those beside it."""
    options = SMALL[name]
    network = awake(build_network(options, width=16))
    record = {"options": {"fusion": options.only("bytes"), "seed": 0}}
    write_weights(tmp_path / "w", network.state_dict(), record)
    fusion = load_fusion(options, tmp_path / "w")
    text_BD, images_BKD = views(90, 16)
    round_B = torch.arange(90) % 11
    all_ = fuse_in_blocks(fusion.fuse, text_BD, images_BKD, round_B)
    torch.testing.assert_close(all_.query_BD.norm(dim=-1), torch.ones(90))
    seen = seen_images(images_BKD, None, options.averages_images)
    torch.testing.assert_close(all_.query_BD, network(text_BD, seen, round_B).query_BD)
    some = torch.tensor([7, 70])
    few = fuse_in_blocks(fusion.fuse, text_BD[some], images_BKD[some], round_B[some])
    for column, part in zip(all_, few, strict=True):
        assert part is None or torch.equal(column[some], part)


def test_every_trained_kind_has_a_network():
    """The names that need weights are those that have a network, and ADaFuSE's as others trained it."""
    assert set(NETWORKS) | {"adafuse-released"} == TRAINED_KINDS


def test_the_record_of_a_published_fusion_stays():
    """Options that came later are in the record only where they are used: nothing is trained again."""
    assert AdafuseOptions(train=TRAIN).only("bytes") == {
        "kind": "adafuse",
        "images": None,
        "projection": 512,
        "hidden": 2048,
        "experts": 4,
        "dropout": 0.2,
        "branches": "both",
        "train": {
            "dialogues": "d",
            "epochs": 50,
            "learning_rate": 5e-5,
            "weight_decay": 0.05,
            "batch": 128,
            "accumulation": 16,
            "warmup_epochs": 5,
            "clip": 3.0,
            "held_out": 0.2,
        },
    }
    other = AdafuseOptions(train=TRAIN, views="each", routing="top1").only("bytes")
    assert (other["views"], other["routing"]) == ("each", "top1")
    assert AdafuseOptions.parse(other, "x").only("bytes") == other


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (AdafuseOptions, {"routing": "top1", "experts": 1}, "routing top1 chooses among experts"),
        (AdafuseOptions, {"routing": "top1", "branches": "gate"}, "routing top1 chooses among experts"),
        (CrossAttentionOptions, {"projection": 100}, "projection 100 is no multiple of heads 8"),
        (RoundWeightsOptions, {"views": "mean"}, "views: unknown key"),
    ],
)
def test_faulty_options(kind, options, message):
    """What cannot work together is refused when the config is read."""
    with pytest.raises(DaitirError, match=message):
        kind.parse({"train": {"dialogues": "d"}, **options}, "fusion")
