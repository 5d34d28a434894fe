import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from daitir.errors import DaitirError
from daitir.fusions.options import AdafuseOptions, TrainOptions
from daitir.fusions.trained import build_network
from daitir.fusions.training.data import is_held_out, split
from daitir.fusions.training.measures import retrieval_quality
from daitir.fusions.training.objective import contrastive_loss
from daitir.fusions.training.optimiser import AdamW, build_optimiser, learning_rate_at
from daitir.fusions.training.trainer import Trainer, plan_steps
from daitir.samples import read_samples
from tests.sample_files import World, write_world

RECIPE = {"learning_rate": 2e-3, "batch": 32, "accumulation": 1, "warmup_epochs": 1, "epochs": 4}


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def test_loss_by_hand():
    """Two pairs: each of the four rows and columns of 2 x cosines gives ln(1 + exp(-2 x its margin))."""
    query_BD = torch.eye(2)
    target_BD = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    scale = torch.tensor(2.0, requires_grad=True)
    loss = contrastive_loss(query_BD, target_BD, scale, torch.tensor([0, 1]))
    margins = [1.0 - 0.6, 0.8 - 0.0, 1.0 - 0.0, 0.8 - 0.6]  # two rows, two columns
    assert loss.item() == pytest.approx(sum(math.log1p(math.exp(-2 * m)) for m in margins) / 4, rel=1e-6)
    loss.backward()
    expected = sum(-m * sigmoid(-2 * m) for m in margins) / 4
    assert scale.grad.item() == pytest.approx(expected, rel=1e-5)


def test_gradient_of_the_query_by_hand():
    """The first query is drawn to its target and pushed from the other, by row and by column softmax."""
    query_BD = torch.eye(2, requires_grad=True)
    target_BD = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    contrastive_loss(query_BD, target_BD, torch.tensor(1.0), torch.tensor([0, 1])).backward()
    by_row, by_column = sigmoid(-0.4), sigmoid(-1.0)  # 1 - softmax of the pair in row 0 and column 0
    against_other = sigmoid(-(0.8 - 0.6))  # softmax of query 0 in column 1
    expected = (-(by_row + by_column) * target_BD[0] + (by_row + against_other) * target_BD[1]) / 4
    torch.testing.assert_close(query_BD.grad[0], expected)


def test_equal_targets_are_no_negatives():
    """Two dialogues about one image do not push each other away."""
    query_BD, target_BD = torch.eye(2), torch.tensor([[0.6, 0.8], [0.6, 0.8]])
    loss = contrastive_loss(query_BD, target_BD, torch.tensor(50.0), torch.tensor([7, 7]))
    assert loss.item() == 0


def test_no_decay_on_one_dimension():
    """Biases, norms and the temperature do not decay, matrices do."""
    network = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    network.log_scale = nn.Parameter(torch.tensor(1.0))
    decays, stays = build_optimiser(network, 1e-3, 0.05).param_groups
    assert [tuple(weight.shape) for weight in decays["params"]] == [(2, 3)]
    assert sorted(tuple(weight.shape) for weight in stays["params"]) == [(), (2,), (2,), (2,)]
    assert (decays["weight_decay"], stays["weight_decay"]) == (0.05, 0.0)


def trained(optimiser_class):
    """Return what some steps leave of weights and of the optimiser, which is saved and loaded between."""
    torch.manual_seed(0)
    network = nn.Linear(8, 4)
    optimiser = optimiser_class(network.parameters(), lr=0.1, weight_decay=0.05, fused=True)
    for _ in range(5):
        network(torch.randn(16, 8)).square().sum().backward()
        optimiser.step()
        optimiser.zero_grad()
        optimiser.load_state_dict(optimiser.state_dict())
    states = [value for state in optimiser.state_dict()["state"].values() for value in state.values()]
    return [weight.detach() for weight in network.parameters()] + states


def test_the_optimiser_is_that_of_torch():
    """Every step leaves the same bits."""
    ours, theirs = trained(AdamW), trained(torch.optim.AdamW)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_the_optimiser_loads_no_compiler():
    """torch's compiler takes more than a second to import, and trains nothing."""
    code = (
        "import sys; from tests.test_training import AdamW, trained; trained(AdamW);"
        " sys.exit('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("step", "rate"), [(0, 0.5), (1, 1.0), (2, 1.0), (6, 0.5), (10, 0.0)])
def test_schedule(step, rate):
    """Two steps up, then half a cosine down to nothing at the end of ten."""
    assert learning_rate_at(step, steps=10, warmup=2, peak=1.0) == pytest.approx(rate, abs=1e-12)


def test_no_warmup():
    """Without warm-up the first step has the peak."""
    assert learning_rate_at(0, steps=10, warmup=0, peak=1.0) == 1.0


@pytest.mark.parametrize(
    ("rows", "batch", "accumulation", "sizes"),
    [
        (10, 4, 1, [[4], [3], [3]]),  # even, so that no batch is left with one dialogue and no negatives
        (10, 4, 2, [[4], [3, 3]]),
        (10, 4, 16, [[4, 3, 3]]),  # fewer than batch * accumulation: one step an epoch
        (10, 128, 16, [[10]]),  # fewer than a batch: one batch
        (256, 128, 2, [[128, 128]]),
    ],
)
def test_an_epoch_is_cut_evenly(rows, batch, accumulation, sizes):
    """Batches and steps differ by one at most, and every row is in one of them."""
    steps = plan_steps(torch.arange(rows), batch, accumulation)
    assert [[len(part) for part in step] for step in steps] == sizes
    assert torch.cat([part for step in steps for part in step]).tolist() == list(range(rows))


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    world = World(dialogues=150, rounds=2, images=2, width=32, candidates=400, noise=1.2)
    return read_samples(write_world(tmp_path_factory.mktemp("world"), world))


def halves(samples, fraction=0.2, images=None):
    train = TrainOptions(dialogues="d", held_out=fraction)
    return split(samples, AdafuseOptions(images=images, train=train))


def test_split_is_by_target(samples):
    """Held-out targets are not trained on; a sample is on one side; a larger share keeps the smaller."""
    data, held_out = halves(samples)
    assert not set(data.target_M.tolist()) & set(held_out.target_M.tolist())
    assert len(data.target_M) + len(held_out.target_M) == 300
    assert len(data) + len(held_out) == 150
    assert 15 <= len(held_out) <= 45
    assert {key for key in samples.corpus.keys if is_held_out(key, 0.2)} <= {
        key for key in samples.corpus.keys if is_held_out(key, 0.3)
    }


def test_image_of_a_sample_is_the_mean(samples):
    """The mean of the images, brought to unit length; or the first alone."""
    (data, _), (first, _) = halves(samples), halves(samples, images=1)
    row = int(np.flatnonzero(samples.target_M == data.target_M[0].item())[0])
    mean = samples.images_MKD[row].mean(axis=0)
    np.testing.assert_allclose(data.images_MKD[0, 0], mean / np.linalg.norm(mean), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(first.images_MKD[0, 0], samples.images_MKD[row, 0], rtol=1e-5, atol=1e-6)


def test_every_epoch_draws_one_round_a_dialogue(samples):
    """Each dialogue once, in an order and with rounds that hang on seed and epoch."""
    data, _ = halves(samples)
    rows = data.draw(seed=0, epoch=1)
    assert sorted(torch.div(rows, 2, rounding_mode="floor").tolist()) == list(range(len(data)))
    assert 0.3 < (rows % 2).float().mean() < 0.7
    assert torch.equal(rows, data.draw(0, 1))
    assert not torch.equal(rows, data.draw(0, 2))
    assert not torch.equal(rows, data.draw(1, 1))


@pytest.mark.parametrize("held_out", [1e-9, 1 - 1e-9])
def test_a_split_that_leaves_nothing(samples, held_out):
    """Nothing to train on, or nothing to choose by, is refused."""
    with pytest.raises(DaitirError, match=r"leaves .* dialogues to train on"):
        halves(samples, held_out)


def trainer(samples, checkpoint, **recipe):
    options = AdafuseOptions(
        projection=32, hidden=64, experts=2, train=TrainOptions(dialogues="d", **(RECIPE | recipe))
    )
    torch.manual_seed(0)
    network = build_network(options, width=samples.text_MD.shape[1])
    return Trainer(network, options.train, *halves(samples), seed=0, checkpoint=checkpoint)


def test_training_learns_more_than_the_text(samples, tmp_path):
    """Text shows one half of the target and the image the other: the fusion finds held-out targets."""
    trained = trainer(samples, tmp_path / "c.pt", epochs=12)
    assert list(trained.epochs()) == list(range(1, 13))
    losses = [row["loss"] for row in trained.history]
    text = retrieval_quality(trained.held_out.text_MD, trained.held_out)
    assert trained.best.quality[0] > text["recall_at_10"] + 0.1
    assert losses[-1] < losses[0]
    best = max(trained.history, key=lambda row: (row["recall_at_10"], row["mrr"], -row["epoch"]))
    assert trained.best.epoch == best["epoch"]
    assert 0 < trained.history[-1]["gate_mean"] < 1
    assert sum(trained.history[-1]["expert_load"]) == pytest.approx(1)


def test_a_killed_training_ends_with_the_same_bytes(samples, tmp_path):
    """A training left after two of four epochs goes on from there and ends as one that ran through."""
    whole = trainer(samples, tmp_path / "whole.pt")
    list(whole.epochs())
    torn = trainer(samples, tmp_path / "torn.pt").epochs()
    assert [next(torn), next(torn)] == [1, 2]
    del torn
    resumed = trainer(samples, tmp_path / "torn.pt")
    assert resumed.finished_epochs == 2
    assert list(resumed.epochs()) == [3, 4]
    assert resumed.history == whole.history
    assert resumed.best.epoch == whole.best.epoch
    for one, other in ((resumed.best.weights, whole.best.weights), (resumed.network.state_dict(), None)):
        other = other or whole.network.state_dict()
        assert all(torch.equal(one[name], other[name]) for name in other)


def test_threads_and_seeds(samples, tmp_path):
    """Another count of threads changes no bit, and torch's own random state stays as it was."""
    state, before = torch.random.get_rng_state(), torch.get_num_threads()
    histories = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        trained = trainer(samples, tmp_path / f"{threads}.pt", epochs=2)
        torch.random.set_rng_state(state)
        list(trained.epochs())
        histories.append(trained.history)
    torch.set_num_threads(before)
    assert histories[0] == histories[1]
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_loss_that_is_no_number_stops(samples, tmp_path):
    """A training that diverges says so instead of writing weights."""
    broken = trainer(samples, tmp_path / "c.pt")
    nn.init.constant_(broken.network.log_scale, float("nan"))
    with pytest.raises(DaitirError, match="lower learning_rate"):
        list(broken.epochs())
