"""What the trainer does beyond the published recipe, each only where it is asked for."""

import math
import sys

import pandas as pd
import pytest
import torch
from torch import nn

from daitir.errors import DaitirError
from daitir.fusions.curves import history_figure
from daitir.fusions.options import (
    AdafuseOptions,
    CrossAttentionOptions,
    FilmOptions,
    MlpOptions,
    RoundWeightsOptions,
    TrainOptions,
)
from daitir.fusions.trained import build_network
from daitir.fusions.training.board import board_for, show
from daitir.fusions.training.data import split
from daitir.fusions.training.measures import measure
from daitir.fusions.training.optimiser import moving_average
from daitir.fusions.training.trainer import Trainer
from daitir.samples import read_samples
from daitir.stages.train import train
from tests.sample_files import World, write_world

RECIPE = {"learning_rate": 2e-3, "batch": 32, "accumulation": 1, "warmup_epochs": 1, "epochs": 4}
SIZES = {"projection": 16, "hidden": 64, "experts": 2, "device": "cpu"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    world = World(dialogues=90, rounds=2, images=3, width=32, candidates=250, noise=1.2)
    return read_samples(write_world(tmp_path_factory.mktemp("world"), world))


def recipe(**changes):
    return TrainOptions(dialogues="d", **(RECIPE | changes))


def trainer(samples, checkpoint, kind=AdafuseOptions, sizes=SIZES, **changes):
    options = kind(train=recipe(**changes), **sizes)
    torch.manual_seed(0)
    network = build_network(options, width=32)
    return Trainer(network, options.train, *split(samples, options), seed=0, checkpoint=checkpoint)


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (AdafuseOptions, {**SIZES, "experts": 3, "routing": "top1"}),
        (AdafuseOptions, {**SIZES, "views": "attention"}),
        (AdafuseOptions, {**SIZES, "views": "each"}),
        (MlpOptions, {"hidden": 128}),
        (FilmOptions, {"hidden": 128}),
        (CrossAttentionOptions, {"projection": 32, "heads": 4, "layers": 1, "hidden": 64}),
        (RoundWeightsOptions, {}),
    ],
)
def test_every_kind_learns(samples, tmp_path, kind, sizes):
    """The same trainer lowers the loss of each, by the same recipe."""
    trained = trainer(samples, tmp_path / "c", kind, sizes, epochs=6)
    list(trained.epochs())
    losses = [row["loss"] for row in trained.history]
    assert losses[-1] < losses[0]
    assert trained.best.epoch > 0


def test_options_at_their_defaults_change_no_weight(samples, tmp_path):
    """Written out, the options that came later train the weights that they train unwritten."""
    plain, written = (
        trainer(samples, tmp_path / name, sizes=sizes, **changes)
        for name, sizes, changes in (
            ("plain", SIZES, {}),
            (
                "written",
                {**SIZES, "views": "mean", "routing": "dense", "random_image": False},
                {"ema": None, "patience": None, "precision": "float32"},
            ),
        )
    )
    list(plain.epochs()), list(written.epochs())
    assert same(plain.network.state_dict(), written.network.state_dict())
    assert plain.history == written.history


def test_moving_average_by_hand():
    """The first update takes the weights, the next goes a tenth of the way."""
    network = nn.Linear(1, 1, bias=False)
    average = moving_average(network, decay=0.9)
    for weight, expected in ((4.0, 4.0), (14.0, 5.0), (5.0, 5.0)):
        nn.init.constant_(network.weight, weight)
        average.update_parameters(network)
        assert average.module.weight.item() == pytest.approx(expected)


def test_the_average_is_measured_and_kept(samples, tmp_path):
    """With ``ema`` the trained weights are those without it, and the kept ones their average."""
    plain, averaged = trainer(samples, tmp_path / "p"), trainer(samples, tmp_path / "a", ema=0.9)
    list(plain.epochs()), list(averaged.epochs())
    assert same(plain.network.state_dict(), averaged.network.state_dict())
    assert not same(averaged.kept.state_dict(), averaged.network.state_dict())
    last = measure(averaged.kept, averaged.held_out)
    assert last["mrr"] == averaged.history[-1]["mrr"]
    assert averaged.history[-1]["scale"] == averaged.kept.log_scale.exp().item()


@pytest.mark.parametrize("changes", [{"ema": 0.9}, {"random_image": True}, {"patience": 1}])
def test_a_killed_training_ends_with_the_same_weights(samples, tmp_path, changes):
    """Average, drawn images and patience survive a kill."""
    image = {"random_image": changes.pop("random_image", False)}
    whole = trainer(samples, tmp_path / "whole", sizes=SIZES | image, **changes)
    list(whole.epochs())
    torn = trainer(samples, tmp_path / "torn", sizes=SIZES | image, **changes).epochs()
    next(torn)
    del torn
    resumed = trainer(samples, tmp_path / "torn", sizes=SIZES | image, **changes)
    list(resumed.epochs())
    assert resumed.history == whole.history
    assert same(resumed.best.weights, whole.best.weights)


def test_a_training_without_gain_stops(samples, tmp_path):
    """Two epochs after the best one nothing more is trained, also after a restart."""
    stopped = trainer(samples, tmp_path / "c", patience=2, epochs=40, learning_rate=1e-2)
    list(stopped.epochs())
    assert stopped.finished_epochs == stopped.best.epoch + 2 < 40
    again = trainer(samples, tmp_path / "c", patience=2, epochs=40, learning_rate=1e-2)
    assert list(again.epochs()) == []


def test_a_random_image_a_sample(samples):
    """Each epoch shows one image of each sample; the held-out dialogues are seen with the mean of all."""
    data, held_out = split(samples, AdafuseOptions(random_image=True, train=recipe()))
    assert (data.images_MKD.shape[1], held_out.images_MKD.shape[1]) == (3, 1)
    picked_M = data.pick_images(seed=0, epoch=1)
    row_B = torch.tensor([5, 0])
    shown = data.images(row_B, picked_M)
    assert torch.equal(shown[0, 0], data.images_MKD[5, picked_M[5]])
    assert set(picked_M.tolist()) == {0, 1, 2}
    assert not torch.equal(picked_M, data.pick_images(0, 2))
    assert held_out.pick_images(0, 1) is None


def test_nothing_to_attend_over(samples):
    """One image a sample teaches no attention over images."""
    with pytest.raises(DaitirError, match="random_image leaves nothing to attend over"):
        AdafuseOptions.parse({"views": "attention", "random_image": True, "train": {"dialogues": "d"}}, "f")


def test_half_precision_learns_and_keeps_float32(samples, tmp_path):
    """In bfloat16 the loss falls nearly as in float32, and the weights stay float32."""
    half, full = trainer(samples, tmp_path / "h", precision="bfloat16"), trainer(samples, tmp_path / "f")
    list(half.epochs()), list(full.epochs())
    assert half.history[-1]["loss"] == pytest.approx(full.history[-1]["loss"], rel=0.02)
    assert half.history[-1]["loss"] != full.history[-1]["loss"]
    assert {weight.dtype for weight in half.best.weights.values()} == {torch.float32}


def test_half_precision_is_refused_on_the_cpu(samples, tmp_path):
    """It would be slower and less exact there."""
    options = AdafuseOptions(train=recipe(precision="bfloat16"), **SIZES)
    with pytest.raises(DaitirError, match="bfloat16 is for GPUs and this is a cpu"):
        train(options, samples, 0, tmp_path / "c")


def test_hits_of_held_out_dialogues_count_any_round(samples, tmp_path):
    """A dialogue is found if one of its rounds finds it: no fewer than the queries found in each round."""
    trained = trainer(samples, tmp_path / "c")
    list(trained.epochs())
    held_out, row = trained.held_out, trained.history[-1]
    assert row["recall_at_10"] <= row["hits_at_10"] <= 2 * row["recall_at_10"]
    assert math.isclose(row["hits_at_10"] * len(held_out) % 1, 0, abs_tol=1e-9)


def test_tensorboard_that_is_not_there_is_refused(monkeypatch, tmp_path):
    """Asked for without its package, it stops before any training; not asked for, nothing is missed."""
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(DaitirError, match="pip install tensorboard"), board_for(tmp_path / "b", []):
        pass
    with board_for(None, []) as nobody:
        nobody({"epoch": 1})


def test_tensorboard_holds_every_epoch_once(tmp_path):
    """What TensorBoard itself reads back: epochs of before a restart and after it, no epoch twice."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows = [{"epoch": epoch, "loss": 1 / epoch, "expert_load": [0.5, 0.5]} for epoch in (1, 2, 3)]
    for done in (0, 2):
        with board_for(tmp_path / "board", rows[:done]) as note:
            for row in rows[done:]:
                note(row)
    read = EventAccumulator(str(tmp_path / "board")).Reload()
    assert [(event.step, event.value) for event in read.Scalars("train/loss")] == [
        (row["epoch"], pytest.approx(row["loss"])) for row in rows
    ]
    assert read.Tags()["scalars"] == ["train/loss", "experts/0", "experts/1"]


class Notes(list):
    """A writer that remembers."""

    def add_scalar(self, *values):
        self.append(values)

    def flush(self):
        pass


def test_tensorboard_shows_what_an_epoch_has():
    """Values that a network lacks are left out; each expert has a curve."""
    notes = Notes()
    show(notes, {"epoch": 3, "loss": 0.5, "gate_mean": None, "expert_load": [0.25, 0.75]})
    assert notes == [("train/loss", 0.5, 3), ("experts/0", 0.25, 3), ("experts/1", 0.75, 3)]


def history(**columns):
    rows = {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "hits_at_10": [0.5, 0.7, 0.6]}
    rows |= {"gate_mean": [0.5, 0.6, 0.7], "gate_spread": [0.1, 0.1, 0.1]}
    rows |= {"expert_load": [[0.5, 0.5], [0.4, 0.6], [0.3, 0.7]], "chosen": [False, True, False]}
    return pd.DataFrame(rows | columns)


def test_history_figure_is_the_same_bytes_each_time():
    """Four panels in words, no date; a seed more is a line more in each, and two for two experts."""
    one, two = (history_figure("adafuse", [history()] * seeds) for seeds in (1, 2))
    assert one == history_figure("adafuse", [history()])
    for words in ("adafuse", "loss of the training dialogues", "load of each expert", "epoch"):
        assert f">{words}</text>" in one
    assert ">none</text>" not in one
    assert two.count("stroke-dasharray: 5.18") - one.count("stroke-dasharray: 5.18") == 5


def test_history_figure_without_gate_and_experts():
    """What a network lacks is an empty panel that says so."""
    nothing = [None] * 3
    bare = history(gate_mean=nothing, gate_spread=nothing, expert_load=nothing)
    assert history_figure("mlp", [bare]).count(">none</text>") == 2
