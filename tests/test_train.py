import json
import os
import signal
import subprocess
import sys
import time

import pytest

from daitir.errors import DaitirError
from daitir.history import read_history
from daitir.samples import Sources
from daitir.stages.train import main
from daitir.weights import read_weights
from tests.sample_files import World, write_world

TRAIN = {"dialogues": "d", "learning_rate": 2e-3, "batch": 32, "accumulation": 1, "warmup_epochs": 1}
FUSION = {"kind": "adafuse", "projection": 32, "hidden": 64, "experts": 2, "train": {**TRAIN, "epochs": 5}}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    world = World(dialogues=80, rounds=2, images=2, width=32, candidates=200, noise=1.2)
    return write_world(tmp_path_factory.mktemp("world"), world)


def arguments(sources, folder, seed=0, fusion=FUSION, how=None):
    return [
        *("--options", json.dumps({"code": "revision-1", "fusion": fusion})),
        *("--how", json.dumps({"fusion": how or {"device": "cpu", "train": {"seeds": [0, 1]}}})),
        *("--dialogues", str(sources.dialogues), "--queries", str(sources.queries)),
        *("--pictures", *map(str, sources.pictures), "--corpus", str(sources.corpus)),
        *("--seed", str(seed), "--scratch", str(folder / "scratch")),
        *("--output", str(folder / "model.safetensors"), "--history", str(folder / "history.parquet")),
    ]


def train(monkeypatch, sources, folder, **changes):
    monkeypatch.setattr(sys, "argv", ["train", *arguments(sources, folder, **changes)])
    main()
    return (folder / "model.safetensors").read_bytes()


def test_train_writes_weights_and_history(monkeypatch, sources, tmp_path):
    """The files say how it went and which epoch was kept; the scratch folder is gone."""
    train(monkeypatch, sources, tmp_path)
    tensors, record = read_weights(tmp_path / "model.safetensors")
    history = read_history(tmp_path / "history.parquet")
    summary = record["training"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    chosen = history[history["chosen"]]
    assert chosen["epoch"].tolist() == [summary["epoch"]]
    assert chosen["recall_at_10"].tolist() == [summary["held_out"]["recall_at_10"]]
    assert summary["dialogues"] + summary["held_out_dialogues"] == 80
    assert summary["parameters"] == sum(tensor.numel() for tensor in tensors.values())
    assert record["options"]["seed"] == 0
    assert set(record["inputs"]) == {"dialogues", "candidates", "queries", "pictures", "corpus"}
    assert not (tmp_path / "scratch").exists()


def test_bytes_hang_on_options_and_seed_alone(monkeypatch, sources, tmp_path):
    """The same seed gives the same bytes whatever other seeds there are; another seed gives others."""
    one = train(monkeypatch, sources, tmp_path / "one")
    assert one == train(monkeypatch, sources, tmp_path / "two", how={"train": {"seeds": [0, 7]}})
    assert one != train(monkeypatch, sources, tmp_path / "three", seed=1)


def test_a_killed_job_ends_with_the_same_bytes(monkeypatch, sources, tmp_path):
    """A job killed in mid-training leaves no output, goes on from its checkpoint and ends byte-identical."""
    fusion = {**FUSION, "train": {**TRAIN, "epochs": 40}}
    torn, whole = tmp_path / "torn", tmp_path / "whole"
    call = [sys.executable, "-m", "daitir.stages.train", *arguments(sources, torn, fusion=fusion)]
    job = subprocess.Popen(call, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(torn.glob("scratch/*/checkpoint.pt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(job.pid, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    assert not (torn / "model.safetensors").exists()
    resumed = train(monkeypatch, sources, torn, fusion=fusion)
    assert resumed == train(monkeypatch, sources, whole, fusion=fusion)
    assert (torn / "history.parquet").read_bytes() == (whole / "history.parquet").read_bytes()


def test_images_are_needed(monkeypatch, sources, tmp_path):
    """Without generated images there is nothing to fuse."""
    without = Sources(sources.dialogues, sources.queries, (), sources.corpus)
    with pytest.raises(DaitirError, match="--pictures"):
        train(monkeypatch, without, tmp_path)


def test_a_fusion_that_is_not_trained_is_refused(monkeypatch, sources, tmp_path):
    """DAR has nothing to train."""
    with pytest.raises(DaitirError, match="fusion: Input tag 'dar'"):
        train(monkeypatch, sources, tmp_path, fusion={"kind": "dar"})
