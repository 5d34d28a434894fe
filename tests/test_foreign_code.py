"""Models that bring code, in all the places where a library would look for it: none of it is run."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from daitir.chat import TransformersChatOptions, load_chat
from daitir.encoders import EncoderOptions, load_encoder
from daitir.errors import DaitirError
from daitir.generators import DiffusersOptions, load_generator
from daitir.simulation import TransformersAnswerer
from daitir.simulation.answerers import load_answerer
from tests import tiny, tiny_pipelines
from tests.bad_input.calls import RunsCode

RAN = "was-run"  # the folder that code of these models makes
CHAT = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
Path("was-run").mkdir()
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""
ANY = """
from pathlib import Path
Path("was-run").mkdir()
class Own:
    @classmethod
    def from_pretrained(cls, *_, **__):
        return cls()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder, with a cache of modules of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Good models: an encoder, a chat model, a pipeline."""
    folder = tmp_path_factory.mktemp("models")
    tiny.blip(folder / "blip")
    tiny.llama(folder / "llama")
    tiny_pipelines.sd3(folder / "sd3")
    return folder


def edit(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def copied(models, name):
    return Path(shutil.copytree(models / name, Path.cwd() / name))


def refused(load, options, message):
    """The load is refused in one line, and nothing of the model's was run."""
    with pytest.raises(DaitirError, match=message) as caught:
        load(options)
    assert len(str(caught.value).splitlines()) == 1
    assert not Path(RAN).exists()


def chat(model, **settings):
    return TransformersChatOptions(kind="transformers", model=str(model), device="cpu", **settings)


def own_chat(models):
    """A chat model of an architecture that only the code beside it knows."""
    model = copied(models, "llama")
    (model / "own.py").write_text(CHAT)
    classes = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    edit(model / "config.json", model_type="own", architectures=["OwnModel"], auto_map=classes)
    return model


def test_code_of_a_chat_model_is_not_run(models):
    """The line says how to trust it."""
    refused(load_chat, chat(own_chat(models)), "brings code of its own.*trust_remote_code: true")


def test_code_of_a_chat_model_is_run_where_the_config_says_so(models):
    """It is written for this one model."""
    model = load_chat(chat(own_chat(models), trust_remote_code=True, max_new_tokens=4))
    assert [*model.answer(["a star"], 0)]
    assert Path(RAN).exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_another_repository_is_not_run(models, file):
    """It was not for that one that the config said so."""
    model = own_chat(models)
    edit(model / file, auto_map={"AutoConfig": "nobody/knows--own.OwnConfig"})
    refused(load_chat, chat(model, trust_remote_code=True), "wants to run code of nobody/knows, which")


def test_code_of_a_tokenizer_is_not_run(models):
    """A tokenizer can name a class of its own as well."""
    model = copied(models, "llama")
    (model / "own.py").write_text(ANY)
    own = {"AutoTokenizer": ["own.Own", "own.Own"]}
    edit(model / "tokenizer_config.json", tokenizer_class="Own", auto_map=own)
    refused(load_chat, chat(model), "brings code of its own")


def test_code_of_an_answerer_is_not_run(models):
    """Of the models that see pictures."""
    model = copied(models, "blip")
    (model / "own.py").write_text(ANY)
    edit(model / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"})
    options = TransformersAnswerer(kind="transformers", model=str(model), device="cpu")
    refused(load_answerer, options, "brings code of its own.*trust_remote_code: true")


CLASSES = ("AutoConfig", "AutoModel", "AutoTokenizer", "AutoImageProcessor", "AutoProcessor")
OWN = {"auto_map": dict.fromkeys(CLASSES, "own.Own")}
NAMED = OWN | {"model_type": "own", "tokenizer_class": "Own", "image_processor_type": "Own"}


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("edits", [OWN, NAMED], ids=["offered", "needed"])
def test_code_of_an_encoder_is_never_run(models, file, edits, monkeypatch):
    """Nor is anybody asked on the terminal; what the library knows itself is loaded by that."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    model = copied(models, "blip")
    (model / "own.py").write_text(ANY)
    if not (model / file).exists():
        (model / file).write_text("{}")
    edit(model / file, **edits)
    values = {"kind": "blip", "model": str(model), "device": "cpu"}
    if file == "config.json" and edits is NAMED:
        refused(load_encoder, parse(values), "brings code of its own, which is not run")
        return
    load_encoder(parse(values))
    assert not Path(RAN).exists()


def parse(values):
    return TypeAdapter(EncoderOptions).validate_python(values)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"_class_name": ["own", "Own"]}, "is no pipeline of diffusers"),
        ({"_class_name": "own.Own"}, "is no pipeline of diffusers"),
        ({"transformer": ["own", "Own"]}, "part 'transformer' .* is made by 'own'"),
        ({"scheduler": ["own", "Own"]}, "part 'scheduler' .* is made by 'own'"),
        ({"tokenizer": ["own", "Own"]}, "part 'tokenizer' .* is made by 'own'"),
        ({"extra": ["own", "Own"]}, "part 'extra' .* is made by 'own'"),
        ({"scheduler": ["subprocess", "Popen"]}, "is made by 'subprocess'"),
        ({"scheduler": ["diffusers.utils", "own"]}, "is made by 'diffusers.utils'"),
    ],
)
def test_code_of_a_pipeline_is_never_run(models, index, message, monkeypatch):
    """A part may name any module, one that lies in the working folder too."""
    model = copied(models, "sd3")
    parts = [path for path in model.iterdir() if path.is_dir()]
    for folder in (Path.cwd(), model, *parts):
        (folder / "own.py").write_text(ANY)
        (folder / "pipeline.py").write_text(ANY)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    edit(model / "model_index.json", **index)
    refused(load_generator, DiffusersOptions(model=str(model), device="cpu"), message)


def test_code_in_the_parts_of_a_pipeline_is_never_run(models):
    """Tokenizers and text encoders may name classes of their own; those of the index are loaded."""
    model = copied(models, "sd3")
    for file in [*model.glob("*/config.json"), *model.glob("*/tokenizer_config.json")]:
        (file.parent / "own.py").write_text(ANY)
        edit(file, **OWN)
    load_generator(DiffusersOptions(model=str(model), device="cpu"))
    assert not Path(RAN).exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_code_in_weights_of_a_chat_model_is_not_run(models, name):
    """A pickle with code in it, by its own name or by another."""
    model = copied(models, "llama")
    (model / "model.safetensors").unlink()
    torch.save({"weight": RunsCode()}, model / name)
    refused(load_chat, chat(model, trust_remote_code=name.startswith("pytorch")), str(model))


def test_pickles_of_a_pipeline_are_not_read(models):
    """Its parts come from safetensors alone."""
    model = copied(models, "sd3")
    (model / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({"weight": RunsCode()}, model / "vae" / "diffusion_pytorch_model.bin")
    refused(load_generator, DiffusersOptions(model=str(model), device="cpu"), "vae|safetensors")


def test_a_pickle_runs_its_code_where_nobody_takes_care():
    """So the tests above see what they look for."""
    torch.save({"weight": RunsCode()}, "model.bin")
    torch.load("model.bin", weights_only=False)
    assert Path(RAN).exists()
