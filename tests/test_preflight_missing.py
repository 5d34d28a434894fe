"""The check before a run names what is missing, and only what a run would stop for."""

import json
import shutil
from pathlib import Path

import pytest

from daitir.preflight.hub import Hub
from daitir.preflight.page import verdict
from daitir.queries import rounds_of
from daitir.readers import READERS
from tests.preflight_files import checked, found, small_config


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return small_config(tmp_path)


def broken(small, name):
    """Take away one thing that the small config needs."""
    if name == "model":
        shutil.rmtree("models/blip")
    elif name == "weights":
        Path("models/blip/model.safetensors").unlink()
    elif name == "shard":
        Path("models/sd3/transformer/diffusion_pytorch_model-00001-of-00002.safetensors").unlink()
    elif name == "part":
        shutil.rmtree("models/sd3/vae")
    elif name == "index":
        Path("models/sd3/model_index.json").write_text("{")
    elif name == "image":
        Path("images/2.png").unlink()
    elif name == "images":
        shutil.rmtree("images")
    elif name == "list":
        Path("pool.json").unlink()
    elif name == "dialogues":
        Path("b.json").write_text("[")
    elif name == "limit":
        small["dialogues"]["t"]["limit"] = 7
    elif name == "template":
        small["reformulators"]["chat"]["query_template"] = "ask.jinja"


@pytest.mark.parametrize(
    ("what", "key", "detail"),
    [
        ("model", "encoders.blip", "cannot be checked"),
        ("weights", "encoders.blip", "it has no weights as *.safetensors"),
        ("shard", "generators.sd3", "it lacks shard 1 of 2 of its weights in transformer"),
        ("part", "generators.sd3", "its part vae is not there"),
        ("index", "generators.sd3", "its model_index.json is not JSON"),
        ("image", "corpora.pool.images", "3 of 4 images; the first that is not there: images/2.png"),
        ("images", "corpora.pool.images", "it does not exist"),
        ("list", "corpora.pool.list", "it does not exist"),
        ("dialogues", "dialogues.b.file", "b.json is not JSON"),
        ("limit", "dialogues.t.file", "fewer than `limit: 7`"),
        ("template", "reformulators.chat.query_template", "it does not exist"),
    ],
)
def test_what_is_missing_is_named(small, tmp_path, what, key, detail):
    """A missing or torn part of a run stands in the table and in the last line, alone."""
    broken(small, what)
    hub = Hub(endpoint="http://127.0.0.1:9", cache=tmp_path / "cache")
    result = checked(small, hub=hub)
    assert [finding.key for finding in result.missing] == [key]
    assert detail in result.missing[0].detail
    assert verdict(result).startswith(f"Missing: {key} (")


def test_keys_that_are_asked_for(small):
    """A named variable must be set; the usual one may stay away, for a server may want no key."""
    assert found(checked(small), "reformulators.chat.api_key_env") == [
        ("there", "for writer at http://127.0.0.1:8000/v1")
    ]
    result = checked(small, environment={"THE_KEY": ""})
    assert verdict(result) == "Missing: reformulators.chat.api_key_env (THE_KEY)"
    del small["reformulators"]["chat"]["api_key_env"]
    result = checked(small, environment={})
    assert result.missing == []
    assert found(result, "reformulators.chat.api_key_env")[0][0] == "note"


def test_disk_space(small):
    """Pictures and features of 76 pictures need some 8.6 MB; what is stored already is not counted again."""
    needed = sum(line.size for line in checked(small).work)
    assert checked(small, free=lambda folder: needed).missing == []
    result = checked(small, free=lambda folder: needed - 1)
    assert [finding.key for finding in result.missing] == ["disk for results"]
    Path("out/images").mkdir(parents=True)
    Path("out/images/shard.tar").write_bytes(b"x")
    assert checked(small, free=lambda folder: needed - 1).missing == []


def test_what_no_system_uses_is_no_reason_to_stop(small):
    """Data that are named and not searched, and a simulation that nobody reads, are told and not missing."""
    asks = {key: value for key, value in small["reformulators"]["chat"].items() if key != "prompts"}
    simulation = {"corpus": "other", "rounds": 4, "targets": 10, "questioner": asks}
    simulation["answerer"] = {"kind": "transformers", "model": "somebody/seeing", "per_second": 5}
    small["simulations"] = {"talk": simulation}
    small["corpora"]["other"] = {"images": "nowhere"}
    small["dialogues"]["other"] = {"file": "none.json", "corpus": "other"}
    hub = Hub(endpoint="http://127.0.0.1:9")
    result = checked(small, hub=hub)
    assert result.missing == []
    for key in ("corpora.other.images", "dialogues.other.file", "simulations.talk.answerer"):
        assert found(result, key)[0][0] == "note"
        assert found(result, key)[0][1].startswith("this run does not need it; ")
    talk = [(line.items, line.unit, line.hours) for line in result.work if line.stage == "simulate"]
    assert talk == [(10, "captions", 2 / 3600), (30, "questions", 15 / 3600), (30, "answers", 6 / 3600)]
    small["dialogues"]["a"] = {
        "file": "out/simulated/talk.jsonl",
        "format": "jsonl",
        "corpus": "other",
        "rounds": 4,
    }
    small["dialogues"]["b"]["round_0_from"] = None
    result = checked(small, hub=hub)
    assert {finding.key for finding in result.missing} == {
        "corpora.other.images",
        "simulations.talk.answerer",
    }
    assert found(result, "dialogues.a.file") == [("made", "by a rule of its own")]
    assert next(line.items for line in result.work if line.stage == "reformulate") == 10 * 4 * 3


def test_published_material_is_counted(small):
    """Released pictures are looked for round by round; they are not drawn and take no room but a record."""
    pictures = {"kind": "released", "folders": dict.fromkeys("abt", "published"), "images": 1}
    small["generators"]["sd3"] = pictures
    Path("published").mkdir()
    for place in range(6):
        for round_ in range(3):
            Path(f"published/{place}_{round_}.jpg").touch()
    result = checked(small)
    assert found(result, "generators.sd3.folders.a") == [("there", "15 of 15 images")]
    assert found(result, "generators.sd3.folders.t") == [("there", "8 of 8 images")]  # two rounds of each
    line = next(line for line in result.work if line.stage == "generate")
    assert (line.items, line.unit, line.hours, line.size) == (15, "links", None, 15 * 2560)
    assert [line.shared for line in result.work if line.stage == "generate"] == [0, 0, 0]
    Path("published/4_2.jpg").unlink()
    assert (
        "14 of 15 images; the first that is not there: published/4_2.jpg" in checked(small).missing[0].detail
    )


def test_published_training_pictures_are_looked_for_where_they_are_asked_for(small):
    """Those of the rounds that are drawn by the dialogues' names, named by the corpus's own file names."""
    small["dialogues"]["t"] |= {"format": "list", "rounds_per_dialogue": 1, "limit": None}
    small["generators"]["sd3"] = {
        "kind": "released",
        "folders": dict.fromkeys("abt", "published"),
        "pattern": "{target}_{place}_{round}.jpg",
        "images": 1,
    }
    talks = [
        {"img": f"/their/disk/{place % 4}.png", "dialog": ["caption", f"{place}?", "no"]}
        for place in range(6)
    ]
    Path("t.json").write_text(json.dumps(talks))
    Path("published").mkdir()
    for dialogue in READERS["list"].read(Path("t.json")):
        [round_] = rounds_of(dialogue.dialogue_id, 3, 1)
        Path(f"published/{Path(dialogue.target).name}_{dialogue.place}_{round_}.jpg").touch()
    assert found(checked(small), "generators.sd3.folders.t") == [("there", "6 of 6 images")]


def test_a_corpus_without_a_list_is_its_folder(small):
    """All images below the folder count, hidden ones do not; what cannot be listed is missing."""
    del small["corpora"]["pool"]["list"]
    Path("images/.thumbs").mkdir()
    Path("images/.thumbs/0.png").touch()
    assert found(checked(small), "corpora.pool.images") == [("there", "4 images, no list")]
    Path("images/more").symlink_to(Path("models").absolute())
    [(state, detail)] = found(checked(small), "corpora.pool.images")
    assert (state, detail.split(":")[0]) == ("missing", "images/more is a link to a folder")


def test_images_outside_their_folder_are_missing(small):
    """A name that leads out of its folder is refused as by the stage, though there is a file."""
    Path("else.png").touch()
    Path("pool.json").write_text(json.dumps(["0.png", "1.png", "2.png", "3.png", "../else.png"]))
    [missing] = checked(small).missing
    assert missing.key == "corpora.pool.list"
    assert "pool.json entry 4: '../else.png' leaves its folder of images" in missing.detail


def test_targets_outside_their_corpus_are_missing(small):
    """The import would refuse them."""
    Path("pool.json").write_text(json.dumps(["0.png", "1.png", "2.png"]))
    result = checked(small)
    assert [finding.key for finding in result.missing] == ["dialogues.a.corpus", "dialogues.b.corpus"]
    assert "1 of 5 targets are not in pool.json, the first is '3.png'" in result.missing[0].detail


def test_a_wrong_file_under_a_published_name_is_missing(small):
    """Where the fetched benchmarks lie a name stands for one content; elsewhere it is anybody's."""
    small["corpora"]["pool"]["list"] = "resources/chatir/Search_Space_val_50k.json"
    small["dialogues"]["a"]["file"] = "resources/chatir/ChatGPT_BLIP2.json"
    small["dialogues"]["b"]["file"] = "mine/ChatGPT_BLIP2.json"
    for folder in ("resources/chatir", "mine"):
        Path(folder).mkdir(parents=True)
        shutil.copy("a.json", f"{folder}/ChatGPT_BLIP2.json")
    shutil.copy("pool.json", "resources/chatir/Search_Space_val_50k.json")
    missing = {finding.key: finding.detail for finding in checked(small).missing}
    assert list(missing) == ["dialogues.a.file", "corpora.pool.list"]
    for detail in missing.values():
        assert "has sha256" in detail
        assert "remove it and fetch it again" in detail
