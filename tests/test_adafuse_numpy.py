"""ADaFuSE's forward, loss, gradients and steps agree with an independent calculation in NumPy float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import TrainOptions
from daitir.fusions.training.data import TrainingData
from daitir.fusions.training.objective import contrastive_loss
from daitir.fusions.training.trainer import Trainer
from tests import numpy_adafuse

BATCH, WIDTH, EXPERTS = 12, 16, 3
RECIPE = TrainOptions(
    dialogues="d", epochs=3, warmup_epochs=1, learning_rate=1e-2, batch=6, accumulation=2, clip=0.05
)
NAMES = {
    "text": "project_text.0",
    "image": "project_image.0",
    "gate1": "gate.layers.0.0",
    "gate2": "gate.layers.1",
    "router1": "mixture.router.0",
    "router2": "mixture.router.2",
    "residual": "mixture.residual.0",
    **{f"expert{e}": f"mixture.experts.{e}.0" for e in range(EXPERTS)},
}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Adafuse(WIDTH, 8, 64, EXPERTS, dropout=0.0).double()


@pytest.fixture
def features():
    torch.manual_seed(1)
    return [F.normalize(torch.randn(BATCH, WIDTH, dtype=torch.float64), dim=-1) for _ in range(3)]


def ours_by_name(network):
    """Return the network's weights by the names of the independent calculation."""
    weights = dict(network.named_parameters())
    found = {
        f"{name}.{part}": weights[f"{own}.{part}"]
        for name, own in NAMES.items()
        for part in ("weight", "bias")
    }
    assert len(found) == len(weights) - 1
    return found | {"log_scale": weights["log_scale"]}


def as_numpy(tensors):
    return {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}


def agree(ours, theirs, tolerance=1e-11):
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-8, atol=tolerance, err_msg=name)


def test_forward(network, features):
    """Query, gate and router are those of the formulas."""
    text_BD, image_BD, _ = features
    fused = network.fuse_pair(text_BD, image_BD)
    z, cache = numpy_adafuse.forward(as_numpy(ours_by_name(network)), text_BD.numpy(), image_BD.numpy())
    np.testing.assert_allclose(fused.query_BD.detach(), z, atol=1e-12)
    np.testing.assert_allclose(fused.gate_B.detach(), cache["lambda"][:, 0], atol=1e-12)
    np.testing.assert_allclose(fused.router_BE.detach(), cache["p"], atol=1e-12)


def test_loss_and_gradients(network, features):
    """The loss, and its gradient by every weight, are those derived by hand."""
    text_BD, image_BD, target_BD = features
    fused = network.fuse_pair(text_BD, image_BD)
    loss = contrastive_loss(fused.query_BD, target_BD, network.log_scale.exp(), torch.arange(BATCH))
    loss.backward()
    weights = ours_by_name(network)
    theirs = numpy_adafuse.gradients(as_numpy(weights), *(f.numpy() for f in features))
    assert loss.item() == pytest.approx(theirs[0], rel=1e-12)
    agree({name: weight.grad.numpy() for name, weight in weights.items()}, theirs[1])


def test_gradients_derived_by_hand_are_differences(network, features):
    """The independent gradients are the slopes of the independent loss."""
    weights, arrays = as_numpy(ours_by_name(network)), [f.numpy() for f in features]
    _, found = numpy_adafuse.gradients(weights, *arrays)
    for name, gradient in found.items():
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        losses = []
        for step in (1e-6, -1e-6):
            moved = {key: value.copy() for key, value in weights.items()}
            moved[name][place] += step
            losses.append(numpy_adafuse.gradients(moved, *arrays)[0])
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradient[place], rel=1e-5), name


def test_steps_of_the_trainer(network, features, tmp_path):
    """Three epochs, a step of two batches each: accumulated, clipped, warmed up, decayed as published."""
    text_BD, image_BD, target_BD = features
    place_B = torch.arange(BATCH)
    data = TrainingData(
        text_BD, image_BD[:, None], torch.zeros_like(place_B), place_B, place_B, torch.ones(BATCH), target_BD
    )
    weights = as_numpy(ours_by_name(network))
    drawn = [data.draw(0, epoch).tensor_split(2) for epoch in (1, 2, 3)]

    def step_on(batches):
        def step(w):
            parts = [numpy_adafuse.gradients(w, *(f[rows].numpy() for f in features))[1] for rows in batches]
            mean = {name: sum(part[name] for part in parts) / len(parts) for name in w}
            assert np.sqrt(sum((g**2).sum() for g in mean.values())) > RECIPE.clip
            return numpy_adafuse.clipped(mean, RECIPE.clip)

        return step

    # Warm-up of one step, then a half cosine over two: 1e-2 times 1, 1 and 1/2.
    rates = [1e-2, 1e-2, 5e-3]
    theirs = numpy_adafuse.adamw(weights, [step_on(batches) for batches in drawn], rates, decay=0.05)
    trainer = Trainer(network, RECIPE, data, data, seed=0, checkpoint=tmp_path / "c")
    assert list(trainer.epochs()) == [1, 2, 3]
    agree(as_numpy(ours_by_name(network)), theirs, tolerance=1e-9)
    assert not np.allclose(theirs["text.weight"], weights["text.weight"], atol=1e-3)
