"""Models of the hub: cached, to download, gated, gone or not to be checked, at a server that poses as it."""

import json
import os
import subprocess
import sys
import time

import pytest
from huggingface_hub import close_session, constants

from daitir.encoders import BlipOptions
from daitir.preflight import hub as hub_module
from daitir.preflight.completeness import lacking, loaded
from daitir.preflight.hub import Hub
from daitir.preflight.models import Model, check_models
from tests.posing_hub import COMMIT, ENCODER, cached, model_info, posing_hub

NAME = "somebody/blip"
INFO = f"/api/models/{NAME}"
GATED = (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "ask first"}, {})
FILES = {"config.json": {"image_text_hidden_size": 24}, "model.safetensors": 0}


@pytest.fixture(autouse=True)
def online(monkeypatch):
    """The library may ask, though only this machine."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    close_session()
    yield
    close_session()


def look(tmp_path, answers, revision=None, name=NAME):
    with posing_hub(answers) as (address, asked):
        hub = Hub(endpoint=address, cache=tmp_path)
        return hub.look(name, revision), address, asked


def test_open_model_is_to_be_downloaded(tmp_path):
    """Its commit is known, and the bytes of what loading fetches: not of other formats."""
    files = ENCODER | {"pytorch_model.bin": 900_000_000, "onnx/model.safetensors": 5_000}
    entry, _, asked = look(tmp_path, {INFO: (200, {}, model_info(NAME, files))})
    assert (entry.state, entry.commit, entry.size) == ("download", COMMIT, 900_001_000)
    assert asked == [INFO]


def test_model_without_safetensors_comes_as_bin(tmp_path):
    """Where a model has no safetensors its .bin is read, and of that only weights."""
    files = {"config.json": 3, "pytorch_model.bin": 9_000, "flax_model.msgpack": 9_000}
    entry, _, _ = look(tmp_path, {INFO: (200, {}, model_info(NAME, files))})
    assert (entry.state, entry.size) == ("download", 9_003)


@pytest.mark.parametrize("refused_at", [INFO, f"{INFO}/auth-check"])
def test_gated_model_names_its_licence_page(tmp_path, refused_at):
    """A licence that is not accepted is missing, with the page to accept it at."""
    answers = {INFO: (200, {}, model_info(NAME, ENCODER, gated="manual")), refused_at: GATED}
    entry, address, _ = look(tmp_path, answers)
    assert entry.state == "missing"
    assert f"gated: accept its licence at {address}/{NAME}" in entry.detail


def test_gated_model_with_an_accepted_licence_is_to_be_downloaded(tmp_path):
    """The hub lets this user in."""
    info = model_info(NAME, ENCODER, gated="auto")
    entry, _, _ = look(tmp_path, {INFO: (200, {}, info), f"{INFO}/auth-check": (200, {}, {})})
    assert (entry.state, entry.detail) == ("download", "its licence is accepted")


@pytest.mark.parametrize(
    ("answer", "revision", "detail"),
    [
        ((404, {"X-Error-Code": "RepoNotFound"}, {}), None, "does not exist or is private"),
        ((404, {"X-Error-Code": "RevisionNotFound"}, {}), "v9", "has no revision v9"),
        (
            (200, {}, model_info(NAME, {"config.json": 3, "tf_model.h5": 9})),
            None,
            "it has no weights as *.safetensors",
        ),
    ],
)
def test_models_that_cannot_be_loaded_are_missing(tmp_path, answer, revision, detail):
    """No such model, no such revision, and weights in no format that is read."""
    path = INFO if revision is None else f"{INFO}/revision/{revision}"
    entry, _, _ = look(tmp_path, {path: answer}, revision)
    assert entry.state == "missing"
    assert detail in entry.detail


def test_hub_that_fails_is_asked_once(tmp_path):
    """Without an answer a model that is not cached cannot be checked, nor can the next."""
    with posing_hub({INFO: (500, {}, {})}) as (address, asked):
        hub = Hub(endpoint=address, cache=tmp_path)
        for name in (NAME, "somebody/else"):
            entry = hub.look(name, None)
            assert entry.state == "missing"
            assert "it cannot be checked (offline: no answer" in entry.detail
        assert hub.read_json("somebody/third", None, "config.json") is None
        assert asked == [INFO]


def test_hub_that_is_slow_is_not_waited_for(tmp_path, monkeypatch):
    """An answer that does not come in time is none."""
    monkeypatch.setattr(hub_module, "SECONDS", 0.1)
    entry, _, _ = look(tmp_path, {INFO: (200, {}, lambda: time.sleep(0.5))})
    assert "it cannot be checked" in entry.detail


def test_cached_model_is_there_without_the_hub(tmp_path, monkeypatch):
    """A complete copy needs no hub, and tells the commit to write."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    cached(tmp_path, NAME, FILES)
    hub = Hub(endpoint="http://127.0.0.1:9", cache=tmp_path)
    assert (hub.look(NAME, None).state, hub.look(NAME, None).commit) == ("cached", COMMIT)
    assert hub.look(NAME, COMMIT).state == "cached"
    assert hub.read_json(NAME, None, "config.json") == {"image_text_hidden_size": 24}
    assert hub.look(NAME, "f" * 40).state == "missing"
    other = hub.look("somebody/else", None)
    assert (other.state, other.commit) == ("missing", None)
    assert "offline: HF_HUB_OFFLINE is set" in other.detail


def test_incomplete_copy_is_missing_offline_and_fetched_online(tmp_path, monkeypatch):
    """Weights that did not come are told; a hub that has them makes it a download."""
    cached(tmp_path, NAME, {"config.json": {}})
    entry, _, _ = look(tmp_path, {INFO: (200, {}, model_info(NAME, ENCODER))})
    assert entry.state == "download"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    entry = Hub(cache=tmp_path).look(NAME, None)
    assert "the cache's copy is not complete (it has no weights as *.safetensors" in entry.detail


def test_small_files_are_read_from_the_hub(tmp_path):
    """The width of a model that is not here yet is known from its config."""
    answers = {f"/{NAME}/resolve/main/config.json": (200, {}, {"image_text_hidden_size": 24})}
    with posing_hub(answers) as (address, _):
        hub = Hub(endpoint=address, cache=tmp_path)
        assert hub.read_json(NAME, None, "config.json") == {"image_text_hidden_size": 24}
        assert hub.read_json(NAME, None, "else.json") is None


class OneEncoder:
    """As much of a config as the check of models asks for."""

    def __init__(self, **options):
        self.encoders = {"blip": BlipOptions(kind="blip", **options)}
        self.reformulators, self.generators, self.simulations = {}, {}, {}


@pytest.mark.parametrize(
    ("revision", "advice"),
    [
        (None, [f"not pinned: write `revision: {COMMIT}`"]),
        ("main", [f"main may move: write `revision: {COMMIT}`"]),
        (COMMIT, []),
    ],
)
def test_revisions_that_are_not_pinned_are_told(tmp_path, revision, advice):
    """With the commit to write, where it is known."""
    cached(tmp_path, NAME, FILES)
    findings = check_models(OneEncoder(model=NAME, revision=revision), Hub(cache=tmp_path))
    assert findings[0].state == "there"
    assert [finding.detail for finding in findings[1:]] == advice
    assert Model("encoders.blip", NAME, revision).label in findings[0].subject


@pytest.mark.parametrize("name", ["models/of/nobody", "no such id!"])
def test_neither_folder_nor_hub_id(tmp_path, name):
    """A path that leads nowhere is told as such, and nobody is asked."""
    entry, _, asked = look(tmp_path, {}, name=name)
    assert entry.detail == "there is no such folder, and it is no hub id (owner/name)"
    assert asked == []


def test_pipelines_are_complete_by_their_parts():
    """Each part with a config needs its weights, all shards of them; other precisions are not loaded."""
    files = {
        "model_index.json", "unet/config.json", "vae/config.json", "scheduler/scheduler_config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors", "everything.safetensors", "tokenizer/vocab.json",
    }  # fmt: skip
    assert lacking(files) == ""
    assert lacking(files - {"unet/diffusion_pytorch_model.safetensors"}).startswith(
        "it has no weights as unet/"
    )
    assert lacking(files, ["unet", "text_encoder"]) == "its part text_encoder is not there"
    assert lacking(files, ["unet", "text_encoder"], without=["text_encoder"]) == ""
    assert sorted(loaded(files)) == sorted(
        files - {"everything.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"}
    )


def test_the_command_asks_the_hub_of_the_environment(tmp_path):
    """HF_ENDPOINT names the hub; a gated model ends the run with its name in the last line."""
    config = f"""
results: {tmp_path}/out
corpora: {{pool: {{images: {tmp_path}}}}}
dialogues: {{talk: {{file: {tmp_path}/talk.json, corpus: pool, limit: 3}}}}
reformulators: {{raw: {{kind: join}}}}
encoders: {{blip: {{kind: blip, model: {NAME}, device: cpu}}}}
systems: {{text: {{encoder: blip, queries: raw, method: text}}}}
evaluate: [talk]
"""
    (tmp_path / "one.yaml").write_text(config)
    for name in "abc":
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "talk.json").write_text(
        json.dumps([{"img": f"{name}.png", "dialog": [name]} for name in "abc"])
    )
    command = [sys.executable, "-m", "daitir.preflight", "--configfile", str(tmp_path / "one.yaml")]
    with posing_hub({INFO: GATED}) as (address, _):
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_CACHE": str(tmp_path / "cache")}
        environment.pop("HF_HUB_OFFLINE", None)
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"accept its licence at {address}/{NAME}" in done.stdout
    assert done.stdout.splitlines()[-1] == f"Missing: encoders.blip ({NAME})"
