"""What somebody else wrote and nobody follows: paths, links, members of tars, code of models, keys."""

import json
import os
import shutil
from pathlib import Path

from daitir.config import load_config
from daitir.shards import Picture
from tests.bad_input.calls import Call, Place, call, case, cases
from tests.bad_input.encoding import corpus, picture, pictures, shard
from tests.bad_input.pictures import generate
from tests.bad_input.queries import ANSWERS, all_but_one, chat, served
from tests.chat_server import says
from tests.test_config import config


@case("encode", "a corpus image that is a link out of its folder")
def link_out(place: Place) -> Call:
    """An archive may hold one."""
    place.write("secret.png", picture())
    asked = corpus(place)
    (place.folder / "images" / "1.png").symlink_to("../secret.png")
    return asked


@case("encode", "a pipe for a corpus image")
def pipe(place: Place) -> Call:
    """Nobody writes to it."""
    asked = corpus(place)
    os.mkfifo(place.folder / "images" / "1.png")
    return asked


@case("encode", "a corpus image of more than a gigabyte")
def large_file(place: Place) -> Call:
    """With the limit, for the test's sake, at twenty kilobytes."""
    place.monkeypatch.setattr("daitir.roots.LARGEST_IMAGE", 20_000)
    place.write("images/1.png", bytes(20_001))
    return corpus(place)


@cases(
    "encode",
    {
        "a name with a backslash": "val2014\\1.png",
        "a name with a line end": "1\n.png",
        "a name longer than a file's": f"{'1' * 300}.png",
        "two spellings of one image": "./0.png",
    },
)
def name_of_no_file(place: Place, name: str) -> Call:
    """A name in the corpus list."""
    return corpus(place, name)


@case("encode", "a link in a shard of drawn pictures")
def link_in_a_shard(place: Place) -> Call:
    """Somebody put it there: ours hold their pictures."""
    path = place.write("somebodys.png", picture())
    shard(place, Picture("d0_r0_k1", b"", "png", {"digest": "0"}, path))
    return pictures(place)


@case("encode", "a shard with something else in it")
def other_member(place: Place) -> Call:
    """Written by another program."""
    shard(place, Picture("../d0_r0_k1", picture(), "png", {}))
    return pictures(place)


@case("encode", "a link in a shard that leads to no picture")
def link_to_anything(place: Place) -> Call:
    """Published pictures are linked by whole paths."""
    shard(place, Picture("d0_r0_k1", b"", "png", {"digest": "0"}, Path("/etc/passwd")), kind="released")
    return pictures(place)


def own_code(place: Place, model: Path) -> Path:
    """Return a copy of a model of a type that only code beside it knows."""
    copy = Path(shutil.copytree(model, place.folder / "own"))
    settings = json.loads((copy / "config.json").read_text())
    place.write("own/config.json", settings | {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}})
    place.write("own/own.py", "import os\nos.mkdir('was-run')\nclass Own: pass\n")
    place.monkeypatch.chdir(place.folder)
    return copy


@case("encode", "an encoder with code of its own")
def code_of_an_encoder(place: Place) -> Call:
    """Nothing of it is run."""
    return corpus(place, model=own_code(place, place.models.blip))


@case("reformulate", "a chat model with code of its own")
def code_of_a_chat_model(place: Place) -> Call:
    """It is run where the config says so."""
    return chat(place, model=str(own_code(place, place.models.llama)))


@case("generate", "a pipeline with a part of another module")
def part_of_another_module(place: Place) -> Call:
    """Anything that can be imported."""
    copy = Path(shutil.copytree(place.models.sd3, place.folder / "sd3"))
    index = json.loads((copy / "model_index.json").read_text())
    place.write("sd3/model_index.json", index | {"scheduler": ["subprocess", "Popen"]})
    return generate(place, model=copy)


@case("reformulate", "an LLM's answer with half a character")
def half_a_character(place: Place) -> Call:
    """It could not be written down."""
    return served(place, all_but_one(says("a \ud800 star")), ANSWERS)


@case("reformulate", "kept answers that are damaged")
def damaged_answers(place: Place) -> Call:
    """Of an earlier attempt, which failed at one dialogue and kept the other answers."""
    asked = served(place, all_but_one(says(" ")))
    asked.refusal("reformulate", place.monkeypatch)
    file = next((place.folder / "scratch").glob("*/answers-*.json"))
    file.write_text(file.read_text().replace("star", "scar"))
    return asked


@case("config", "a key where the name of its variable belongs")
def key_for_a_name(_: Place) -> Call:
    """It is not repeated."""
    model = {
        "kind": "openai",
        "model": "m",
        "base_url": "http://host/v1",
        "api_key_env": "hf_AbC123dEf456GhI789jKl",
    }
    return Call(run=lambda: load_config(config(reformulators__served=model)))


@case("preflight", "a config file that is no text")
def config_in_another_encoding(place: Place) -> Call:
    """Saved by an editor of long ago."""
    path = place.write("config.yaml", "results: é".encode("latin-1"))
    return call(configfile=path)
