"""The networks beside ADaFuSE: what each computes, worked out by hand, and how many weights it has."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from daitir.fusions.networks.cross_attention import CrossAttention
from daitir.fusions.networks.film import Film
from daitir.fusions.networks.mlp import Mlp
from daitir.fusions.networks.round_weights import RoundWeights
from daitir.fusions.options import CrossAttentionOptions, FilmOptions, MlpOptions, TrainOptions
from daitir.fusions.trained import build_network
from daitir.fusions.views import ViewAttention
from tests.fused import ROUND_0, awake, views


def linear(inputs, outputs):
    return inputs * outputs + outputs


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (Mlp(256, 3072, 0.2), linear(512, 3072) + linear(3072, 3072) + linear(3072, 256)),
        (Film(256, 3072, 0.2), linear(256, 3072) + linear(3072, 3072) + linear(3072, 512)),
        (
            CrossAttention(256, 512, 8, 3, 2688, 0.2),
            2 * linear(256, 512)
            + 3 * (3 * 2 * 512 + 4 * linear(512, 512) + linear(512, 2688) + linear(2688, 512))
            + 2 * 512
            + linear(512, 256),
        ),
        (RoundWeights(256, 11), 22),
        (ViewAttention(256), 2 * 256 * 256 + 256 - 1),  # it is part of a network and has no temperature
    ],
)
def test_parameters(network, parameters):
    """As many as the formula has, and the temperature."""
    assert sum(weight.numel() for weight in network.parameters()) == parameters + 1


@pytest.mark.parametrize("kind", [MlpOptions, FilmOptions, CrossAttentionOptions])
def test_alternatives_are_of_like_size(kind):
    """At their defaults they have ADaFuSE's 11.8 million parameters, to 0.1 %."""
    options = kind(train=TrainOptions(dialogues="d"))
    with torch.device("meta"):
        count = sum(weight.numel() for weight in build_network(options, 256).parameters())
    assert count == pytest.approx(11_812_614, rel=1e-3)


def test_mlp_adds_to_the_middle_of_both():
    """With a silent last layer the query is the middle of text and image; without residual the MLP alone."""
    text_BD, images_BKD = views()
    image_BD = images_BKD[:, 0]
    silent = Mlp(8, 32, 0.0)
    nn.init.zeros_(silent.layers[2].weight)
    nn.init.zeros_(silent.layers[2].bias)
    torch.testing.assert_close(
        silent.fuse_pair(text_BD, image_BD).query_BD, F.normalize(text_BD + image_BD, dim=-1)
    )
    alone = awake(Mlp(8, 32, 0.0, residual=False))
    joint_BJ = torch.cat([text_BD, image_BD], dim=-1)
    hidden = F.gelu(alone.layers[1][0](F.gelu(alone.layers[0][0](joint_BJ))))
    expected = F.normalize(alone.layers[2](hidden), dim=-1)
    torch.testing.assert_close(alone.fuse_pair(text_BD, image_BD).query_BD, expected)


def test_film_scales_and_shifts():
    """gamma and beta by hand: 1 + (1, 0) times (0.6, 0.8), plus (0, 0.4), is (1.2, 1.2)."""
    film = Film(2, 8, 0.0)
    film.modulation[2].bias.data = torch.tensor([1.0, 0.0, 0.0, 0.4])
    fused = film.fuse_pair(torch.tensor([[0.6, 0.8]]), torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(fused.query_BD, torch.full((1, 2), math.sqrt(0.5)))


@pytest.mark.parametrize("network", [Film(8, 32, 0.0), CrossAttention(8, 16, 4, 2, 32, 0.0)])
def test_untrained_they_are_the_text(network):
    """What modulates the text starts at zero; once it has learned, the images count."""
    text_BD, images_BKD = views(images=1)
    torch.testing.assert_close(network(text_BD, images_BKD, ROUND_0).query_BD, text_BD)
    learned = awake(network)(text_BD, images_BKD, ROUND_0).query_BD
    other = network(text_BD, -images_BKD, ROUND_0).query_BD
    assert (learned - other).abs().max() > 1e-3


def test_cross_attention_sees_each_image():
    """The order of the images does not matter, which images there are does, also with the same mean."""
    network = awake(CrossAttention(8, 16, 4, 2, 32, 0.0))
    text_BD, images_BKD = views()
    query_BD = network(text_BD, images_BKD, ROUND_0).query_BD
    turned = network(text_BD, images_BKD.flip(1), ROUND_0).query_BD
    mean = network(text_BD, images_BKD.mean(dim=1, keepdim=True), ROUND_0).query_BD
    torch.testing.assert_close(turned, query_BD)
    assert (mean - query_BD).abs().max() > 1e-3


def test_cross_attention_by_hand():
    """One head, no hidden layers' say: the softmax over two images weighs their values."""
    network = CrossAttention(2, 2, 1, 1, 8, 0.0)
    block = network.blocks[0]
    for part in (
        network.project_text,
        network.project_images,
        block.query,
        block.key,
        block.value,
        block.join,
    ):
        nn.init.eye_(part.weight)
        nn.init.zeros_(part.bias)
    nn.init.zeros_(block.mlp[1].weight)
    nn.init.zeros_(block.mlp[1].bias)
    text_BP, images_BKP = torch.tensor([[1.0, 0.0]]), torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    # Layer norm makes (1, -1) of (1, 0) and (-1, 1) of (0, 1): the products are 2 and -2, over sqrt(2).
    first = 1 / (1 + math.exp(-4 / math.sqrt(2)))
    expected = torch.tensor([[1 + first - (1 - first), -first + (1 - first)]])
    torch.testing.assert_close(block(text_BP, images_BKP), expected, rtol=1e-4, atol=1e-4)


def test_round_weights_by_hand():
    """Weights of 3 and 1 give three quarters of the text; rounds after the last have its weights."""
    network = RoundWeights(2, rounds=2)
    network.log_alpha_R.data[1] = math.log(3.0)
    text_BD = torch.tensor([[1.0, 0.0]]).repeat(3, 1)
    images_BKD = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]).repeat(3, 1, 1)
    fused = network(text_BD, images_BKD, torch.tensor([0, 1, 7]))
    torch.testing.assert_close(fused.gate_B, torch.tensor([0.5, 0.75, 0.75]))
    torch.testing.assert_close(fused.query_BD[0], torch.tensor([1.0, 1.0]) / math.sqrt(2))
    torch.testing.assert_close(fused.query_BD[2], torch.tensor([3.0, 1.0]) / math.sqrt(10))
