"""A config with every class of encoder, generator and reformulator, each a tiny random model."""

import json

import pytest
from PIL import Image

from tests import tiny, tiny_encoders, tiny_pipelines
from tests.chat_server import chat_server, echo
from tests.end_to_end.chain import Chain
from tests.test_generators import SETTINGS

DIALOGUES = [
    {"img": "0.png", "dialog": ["a star", "is it red? yes"]},
    {
        "img": "2.png",
        "dialog": ["a tree", "is there a large blue circle on the left? no, on the right of it"],
    },
]
PUBLISHED = [
    {"img": "2.png", "dialog": ["a tree", "a tree with a blue circle"]},
    {"img": "0.png", "dialog": ["a star", "a red star"]},
]
CANDIDATES, IMAGES = 3, 2
LIMIT = 20  # tokens: by every encoder's count they hold all joined texts but the longest
ENCODERS = ["blip", "clip", "siglip", "siglip2", "beit3"]
REFORMULATORS = ["join", "transformers", "openai", "released"]
STORED = {
    "sd2": {"format": "webp"},
    "sdxl": {"format": "jpg", "quality": 90},
    "flux": {"stored_size": 8},
    "sana": {"format": "jpg", "stored_size": 24},
}


@pytest.fixture(scope="package")
def chain(tmp_path_factory):
    """A config with every class of component, and systems in which each is varied by itself."""
    root = tmp_path_factory.mktemp("chain")
    tiny.corpus(root, CANDIDATES)
    (root / "dialogues.json").write_text(json.dumps(DIALOGUES))
    (root / "published.json").write_text(json.dumps(PUBLISHED))
    (root / "query.jinja").write_text("{{ turns | join(', ') }}\n")
    (root / "prompt.jinja").write_text("{{ k }} {{ query }}\n")
    (root / "published").mkdir()
    for number, name in enumerate(("0_0", "0_1", "1_0", "1_1")):
        Image.new("RGB", (12, 10), (60 * number, 90, 200)).save(root / "published" / f"{name}.jpg")
    with chat_server(echo) as server:
        yield Chain(config_of(root, server.url))


def config_of(root, url):
    chosen = {"steps": 2, "height": 16, "width": 16, "batch_size": 4, "device": "cpu", "images": IMAGES}
    generators = {
        name: chosen | settings | STORED.get(name, {}) | {"model": model_of(tiny_pipelines, name, root)}
        for name, settings in SETTINGS.items()
    }
    generators["released"] = {"kind": "released", "folders": {"few": str(root / "published")}}
    templates = {f"{name}_template": str(root / f"{name}.jinja") for name in ("query", "prompt")}
    chat = {"prompts": IMAGES, "max_new_tokens": 60, "attempts": 20} | templates
    llama = {"kind": "transformers", "model": model_of(tiny, "llama", root), "device": "cpu"}
    reformulators = {
        "join": {"kind": "join", "prompts": IMAGES},
        "transformers": llama | chat,
        "openai": {"kind": "openai", "model": "tiny", "base_url": url} | chat,
        "released": {"kind": "released", "files": {"few": str(root / "published.json")}, "prompts": IMAGES},
    }
    parts = [("blip", "join", name) for name in generators]
    parts += [(name, "join", "sd3") for name in ENCODERS] + [("blip", name, "sd3") for name in REFORMULATORS]
    systems = {"text": {"encoder": "blip", "queries": "join", "method": "text"}}
    for part in parts:
        made_of = dict(zip(("encoder", "queries", "images"), part, strict=True))
        systems["-".join(part)] = made_of | {"method": "dar", "baseline": "text"}
    return {
        "results": str(root / "results"),
        "corpora": {"few": {"images": str(root / "images")}},
        "dialogues": {"few": {"file": str(root / "dialogues.json"), "corpus": "few", "rounds": 2}},
        "reformulators": reformulators,
        "generators": generators,
        "encoders": {name: encoder_of(name, root / "encoders" / name) for name in ENCODERS},
        "systems": systems,
        "evaluate": ["few"],
        "report": {"hits": [1], "rounds": [0], "resamples": 100, "examples": 1, "analyses": []},
    }


def encoder_of(name, folder):
    tiny_encoders.MAKERS[name](folder)
    kind = name.removesuffix("2")
    return {"kind": kind, "model": str(folder), "device": "cpu", "max_tokens": LIMIT}


def model_of(makers, name, root):
    return str(getattr(makers, name)(root / name))
