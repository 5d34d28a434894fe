import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from daitir.encoders import load_encoder
from daitir.errors import DaitirError
from daitir.stages import tune
from daitir.tuning import TUNABLE
from daitir.tuning.history import read_tuning_history
from daitir.tuning.networks import KINDS
from tests import tiny_encoders, two_processes
from tests.tuning_files import write_files

RECIPE = {"dialogues": "d", "queries": "q", "epochs": 2, "warmup_epochs": 0, "batch": 6, "accumulation": 2}
DMCL = {"kind": "dmcl", "images": "sd", "learning_rate": 1e-3, "held_out": 0.3, "drop_path": 0.1, **RECIPE}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    write_files(root)
    write_files(root / "rewritten", reformulator="transformers")
    for kind in ("blip", "clip", "beit3"):
        tiny_encoders.MAKERS[kind](root / kind)
    return root


def arguments(made, folder, recipe=DMCL, kind="blip", seed=0, data=None, how=None):
    """What the workflow gives the stage."""
    data = data or made
    encoder = {"kind": kind, "model": str(made / kind), "dtype": "float32", "max_tokens": 16}
    settings = {"encoder": {"device": "cpu", "batch_size": 8, "workers": 0}} | (how or {})
    shards = data.glob("*.tar") if recipe["kind"] == "dmcl" else []
    return [
        *("--options", json.dumps({"code": "revision-1", "encoder": encoder, "tune": recipe})),
        *("--how", json.dumps(settings), "--dialogues", str(data / "dialogues.parquet")),
        *("--queries", *map(str, data.glob("queries-*.parquet")), "--shards", *map(str, shards)),
        *("--list", str(data / "corpus.json"), "--images", str(data / "images"), "--seed", str(seed)),
        *("--scratch", str(folder / "scratch"), "--output", str(folder / "model")),
        *("--history", str(folder / "history.parquet")),
    ]


def call(monkeypatch, made, folder, **changes):
    """Run the stage; return the weights that it wrote, as bytes."""
    monkeypatch.setattr(sys, "argv", ["tune", *arguments(made, folder, **changes)])
    tune.main()
    return (folder / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("kind", ["blip", "clip", "beit3"])
def test_dmcl_trains_every_kind(made, tmp_path, monkeypatch, kind):
    """The output is an encoder of the same kind with other features on both sides, and says who made it."""
    call(monkeypatch, made, tmp_path, kind=kind)
    options = tiny_encoders.options_of(kind, made / kind)
    before, after = (
        load_encoder(options.model_copy(update={"model": str(folder / name)}))
        for folder, name in ((made, kind), (tmp_path, "model"))
    )
    texts, pixels = ["a red star", "a green star on the left"], [np.zeros((3, 24, 24), np.float32)]
    assert before.facts == after.facts
    assert not np.allclose(before.encode_texts(texts).features, after.encode_texts(texts).features)
    assert not np.allclose(before.encode_pixels(pixels), after.encode_pixels(pixels))
    record = json.loads((tmp_path / "model" / "provenance.json").read_text())
    assert record["inputs"].keys() == {"dialogues", "queries", "targets", "pictures"}
    assert record["options"]["tune"] == DMCL
    assert record["tuning"]["dialogues"] + record["tuning"]["held_out_dialogues"] == 24
    assert not (tmp_path / "scratch").exists()


def test_history_begins_with_the_encoder_as_it_was(made, tmp_path, monkeypatch):
    """Row 0 has no loss; each epoch has five terms, and the epoch that was kept is the best one trained."""
    call(monkeypatch, made, tmp_path)
    history = read_tuning_history(tmp_path / "history.parquet")
    assert history["epoch"].tolist() == [0, 1, 2]
    assert history["loss"].isna().tolist() == [True, False, False]
    assert [len(terms) for terms in history["terms"][1:]] == [5, 5]
    assert history["weights"][0].tolist() == pytest.approx([1, 1, 1, 0.5, 0.2])
    trained = history[1:].sort_values(["recall_at_10", "mrr", "epoch"], ascending=[False, False, True])
    assert history[history["chosen"]]["epoch"].tolist() == trained["epoch"].tolist()[:1]


def test_training_finds_the_targets(made, tmp_path, monkeypatch):
    """On bars of three colours at two places: the loss halves, and texts come to find their targets."""
    write_files(tmp_path / "data", dialogues=48)
    recipe = DMCL | {"epochs": 12, "accumulation": 1, "batch": 8, "drop_path": 0.0, "layer_decay": 1.0}
    call(monkeypatch, made, tmp_path, recipe=recipe, data=tmp_path / "data")
    history = read_tuning_history(tmp_path / "history.parquet")
    assert history["loss"].iloc[-1] < 0.6 * history["loss"].iloc[1]
    assert history["text_recall_at_10"][0] < 0.6
    assert history["text_recall_at_10"].iloc[-1] > 0.9
    assert history["text_target_cosine"].iloc[-1] > history["text_target_cosine"][0] + 0.1


def test_bytes_hang_on_options_and_seed_alone(made, tmp_path, monkeypatch):
    """Workers and other seeds change nothing; the seed does."""
    one = call(monkeypatch, made, tmp_path / "one")
    how = {"encoder": {"device": "cpu", "batch_size": 5, "workers": 2}, "tune": {"seeds": [0, 7]}}
    assert one == call(monkeypatch, made, tmp_path / "two", how=how)
    assert one != call(monkeypatch, made, tmp_path / "three", seed=1)


def test_a_killed_training_ends_with_the_same_weights(made, tmp_path, monkeypatch):
    """Killed after an epoch, it goes on from its checkpoint and ends byte-identical."""
    recipe, torn, whole = DMCL | {"epochs": 20}, tmp_path / "torn", tmp_path / "whole"
    wanted = call(monkeypatch, made, whole, recipe=recipe)
    line = [sys.executable, "-m", "daitir.stages.tune", *arguments(made, torn, recipe=recipe)]
    job = subprocess.Popen(line, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(torn.glob("scratch/*/checkpoint.pt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(job.pid, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    assert not (torn / "model").exists()
    assert call(monkeypatch, made, torn, recipe=recipe) == wanted
    assert (torn / "history.parquet").read_bytes() == (whole / "history.parquet").read_bytes()


def test_two_processes_train_as_one(made, tmp_path, monkeypatch):
    """The loss is of the whole batch wherever its rows are: its gradients and the weights are the same.

    A batch of five is three rows and two, and the last bits may differ. Attention does not hang on the bias
    of its keys: their gradients are rounding alone, which AdamW makes steps of.
    """
    recipe = DMCL | {"drop_path": 0.0, "batch": 5, "hard_negatives": {}}
    call(monkeypatch, made, tmp_path / "one", recipe=recipe)
    two_processes.write_gradients(sys.argv[1:], tmp_path / "one.safetensors")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]  # as the rule does
    stage = arguments(made, tmp_path / "two", recipe=recipe)
    subprocess.run(
        [sys.executable, *launch, "-m", "tests.two_processes", str(tmp_path / "two.safetensors"), *stage],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for name in ("{}.safetensors", "{}/model/model.safetensors"):
        one, two = (load_file(tmp_path / name.format(count)) for count in ("one", "two"))
        assert one.keys() == two.keys()
        told = [key for key in one if not key.endswith(("key.bias", "qkv.bias"))]
        assert max((one[key] - two[key]).abs().max().item() for key in told) < 1e-5
        assert max(one[key].abs().max().item() for key in one) > 0.01
    start = load_file(made / "blip" / "model.safetensors")
    assert max((one[key] - start[key]).abs().max().item() for key in one) > 1e-3


@pytest.mark.parametrize(("kind", "data"), [("chatir", "."), ("plugir", "rewritten")])
def test_the_baselines_train_the_text_side_alone(made, tmp_path, monkeypatch, kind, data):
    """ChatIR's and PlugIR's ways leave image features as they were, to the bit."""
    recipe = {name: value for name, value in DMCL.items() if name != "images"} | {"kind": kind}
    call(monkeypatch, made, tmp_path, recipe=recipe, data=made / data)
    before, after = (
        load_file(folder / "model.safetensors") for folder in (made / "blip", tmp_path / "model")
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "text_proj.weight" in changed
    assert not [name for name in changed if name.startswith("vision_")]
    history = read_tuning_history(tmp_path / "history.parquet")
    assert history["image_recall_at_10"].isna().all()


def test_wrong_sources_are_refused(made, tmp_path, monkeypatch):
    """Queries of the other kind of reformulator, and DMCL without images, are named."""
    plain = {name: value for name, value in DMCL.items() if name != "images"}
    with pytest.raises(DaitirError, match="'plugir' reads reformulated dialogues"):
        call(monkeypatch, made, tmp_path, recipe=plain | {"kind": "plugir"})
    with pytest.raises(DaitirError, match="'chatir' reads dialogues as they are"):
        call(monkeypatch, made, tmp_path, recipe=plain | {"kind": "chatir"}, data=made / "rewritten")
    options = json.loads(arguments(made, tmp_path)[1])
    paths = (made / "dialogues.parquet", (made / "queries-0.parquet",), (), made / "corpus.json", made)
    with pytest.raises(DaitirError, match="--shards"):
        tune.check_sources(tune.TuneStageOptions.parse(options, "options"), tune.TuneSources(*paths))


def test_a_config_tunes_what_the_stage_can():
    """The kinds that a config accepts are those that the networks know."""
    assert set(TUNABLE) == KINDS.keys()
