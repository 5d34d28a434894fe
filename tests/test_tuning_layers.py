import copy
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from daitir.encoders import load_encoder
from daitir.errors import DaitirError
from daitir.tuning import tuned_encoder
from daitir.tuning.layers import add_drop_path, checkpoint_layers, layer_scale, tower_depths
from daitir.tuning.networks import (
    KINDS,
    build_optimiser,
    choose_weights,
    load_for_tuning,
    log_scale_of,
    network_of,
    save_encoder,
)
from tests import tiny_encoders

TOWERS = {
    "blip": {"text_encoder": 2, "vision_model": 2},
    "clip": {"text_model": 2, "vision_model": 2},
    "beit3": {"beit3": 2},
}
DEPTHS = {"text_model": 2, "vision_model": 3, "text_encoder": 2, "beit3": 4}
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
TEXTS = ["a red star", "a green tree on the left", "yes", "there is no sky"]


@pytest.fixture(scope="module", params=sorted(KINDS))
def loaded(request, tmp_path_factory):
    folder = tiny_encoders.MAKERS[request.param](tmp_path_factory.mktemp("models") / request.param)
    return load_for_tuning(tiny_encoders.options_of(request.param, folder, dtype="bfloat16"))


@pytest.fixture
def encoder(loaded):
    return copy.deepcopy(loaded)


def features(encoder):
    """Features of texts and of images, with gradients."""
    ids_BT, mask_BT = encoder.pad_tokens([encoder.cut_tokens(text) for text in TEXTS])
    pixels_BCHW = torch.from_numpy(np.stack([encoder.pixels(IMAGE)] * 4))
    return torch.cat([encoder.text_features(ids_BT, mask_BT), encoder.image_features(pixels_BCHW)])


def gradients(encoder, seed=0):
    network = network_of(encoder)
    network.zero_grad()
    torch.manual_seed(seed)
    features(encoder).square().sum().backward()
    return {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("text_model.encoder.layers.1.mlp.fc1.weight", 0.5),
        ("text_model.encoder.layers.0.mlp.fc1.weight", 0.25),
        ("text_model.embeddings.token_embedding.weight", 0.125),
        ("text_model.final_layer_norm.weight", 1),
        ("vision_model.pre_layrnorm.weight", 0.0625),
        ("vision_model.encoder.layers.0.layer_norm1.bias", 0.125),
        ("text_encoder.encoder.layer.1.attention.self.query.weight", 0.5),
        ("text_encoder.embeddings.LayerNorm.weight", 0.125),
        ("beit3.encoder.embed_positions.A.weight", 1 / 32),
        ("beit3.encoder.layer_norm.B.weight", 1),
        ("visual_projection.weight", 1),
        ("logit_scale", 1),
    ],
)
def test_learning_rate_falls_with_the_depth(name, scale):
    """Behind the layers the whole rate, then half of it for each step down, at a decay of 0.5."""
    assert layer_scale(name, DEPTHS, 0.5) == scale


def test_towers_are_found_by_name(encoder):
    """Each kind's layers are counted, a tower by itself."""
    names = [name for name, _ in network_of(encoder).named_parameters()]
    assert tower_depths(names) == TOWERS[encoder.options.kind]


def test_groups_hold_every_weight_once(encoder):
    """What trains is in one group, by depth; matrices decay, and norms, biases and positions do not."""
    choose_weights(encoder, text_side_alone=False)
    network = network_of(encoder)
    names = {weight: name for name, weight in network.named_parameters()}
    groups = build_optimiser(network, "", rate=1.0, layer_decay=0.5, decay=0.1).param_groups
    trained = [name for name, weight in network.named_parameters() if weight.requires_grad]
    assert sorted(names[weight] for group in groups for weight in group["params"]) == sorted(trained)
    assert {group["share"] for group in groups} == {1, 0.5, 0.25, 0.125}
    decayed = {names[weight] for group in groups if group["weight_decay"] for weight in group["params"]}
    assert decayed
    assert not [name for name in decayed if re.search(r"bias|norm|posit|cls|class|logit|ln\.", name.lower())]


def test_every_weight_that_trains_has_a_gradient(encoder):
    """Weights that retrieval never reads are left out, and no others."""
    choose_weights(encoder, text_side_alone=False)
    trained = {name for name, weight in network_of(encoder).named_parameters() if weight.requires_grad}
    assert trained - {"logit_scale"} == gradients(encoder).keys()


def test_the_text_side_alone_leaves_the_images_where_they_were(encoder):
    """Without the image side no image feature has a gradient, and all texts do."""
    choose_weights(encoder, text_side_alone=True)
    found = features(encoder)
    assert found[:4].requires_grad
    assert not encoder.image_features(torch.from_numpy(encoder.pixels(IMAGE))[None]).requires_grad
    assert not [
        name for name in gradients(encoder) if re.search(KINDS[encoder.options.kind].image_side, name)
    ]


def test_drop_path_is_for_training_alone(encoder):
    """Two branches a layer and side; evaluated, features stay; trained, they hang on the seed."""
    with torch.no_grad():
        before = features(encoder)
        assert add_drop_path(network_of(encoder), 0.5) in {6, 8}  # BEiT-3's sides share their attention
        assert torch.equal(features(encoder), before)
        network_of(encoder).train()
        draws = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            draws.append(features(encoder))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], before)


def test_a_dropped_layer_is_as_if_it_were_not_there(encoder):
    """When all branches of the last layer are dropped, its weights have no gradient."""
    add_drop_path(network_of(encoder), 1 - 1e-9)
    network_of(encoder).train()
    found = gradients(encoder)
    last = {
        name: grad for name, grad in found.items() if re.search(r"layers?\.1\..*(q_proj|query|qkv)", name)
    }
    first = {
        name: grad for name, grad in found.items() if re.search(r"layers?\.0\..*(q_proj|query|qkv)", name)
    }
    assert last
    assert not any(grad.any() for grad in last.values())
    assert any(grad.any() for grad in first.values())


def test_checkpointing_moves_no_gradient(encoder):
    """Computed twice or kept, with drop path: the same gradients, bit for bit."""
    network = network_of(encoder).train()
    add_drop_path(network, 0.5)
    kept = gradients(encoder)
    assert checkpoint_layers(network) == sum(TOWERS[encoder.options.kind].values())
    again = gradients(encoder)
    assert kept.keys() == again.keys()
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_a_saved_encoder_is_an_encoder(encoder, tmp_path):
    """Loaded again it gives the features of the one that was saved, to the bit."""
    with torch.no_grad():
        for weight in network_of(encoder).parameters():
            weight.mul_(1.01)
    save_encoder(encoder, tmp_path / "tuned", {"README.md": "A card.\n"})
    again = load_encoder(encoder.options.model_copy(update={"model": str(tmp_path / "tuned")}))
    assert np.array_equal(again.encode_texts(TEXTS).features, encoder.encode_texts(TEXTS).features)
    assert np.array_equal(again.encode_images([IMAGE]), encoder.encode_images([IMAGE]))
    assert (tmp_path / "tuned" / "README.md").read_text() == "A card.\n"


def test_a_saved_encoder_does_not_tell_what_it_read_last(encoder, tmp_path):
    """A training that was killed after its last epoch reads nothing before it saves."""
    for name in ("before", "after"):
        save_encoder(encoder, tmp_path / name, {})
        encoder.encode_texts(TEXTS)
    files = {path.name: path.read_bytes() for path in (tmp_path / "before").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "after").iterdir()}


def test_a_blip_taken_at_another_size_keeps_that_size(tmp_path):
    """Tuned at 32 pixels, the model directory is one of 32 pixels."""
    options = tiny_encoders.options_of("blip", tiny_encoders.MAKERS["blip"](tmp_path / "blip"), image_size=32)
    encoder = load_for_tuning(options)
    save_encoder(encoder, tmp_path / "tuned", {})
    again = load_encoder(tuned_encoder(options, str(tmp_path / "tuned")))
    assert again.facts.preprocessing.startswith("32 x 32")
    assert np.array_equal(again.encode_images([IMAGE]), encoder.encode_images([IMAGE]))


def test_blip_starts_at_the_scale_of_its_config(encoder):
    """CLIP and BEiT-3 have a logit scale; BLIP's retrieval class has none, and gets ln(1 / 0.07)."""
    scale = log_scale_of(encoder)
    assert isinstance(scale, nn.Parameter)
    if encoder.options.kind == "blip":
        assert scale.item() == pytest.approx(2.6592)
    else:
        assert scale is network_of(encoder).logit_scale


def test_siglip_is_not_tuned():
    """A kind without a recipe is refused by its name."""
    with pytest.raises(DaitirError, match="siglip"):
        load_for_tuning(tiny_encoders.options_of("siglip", "anything"))
