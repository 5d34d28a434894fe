"""A hub id is a model like a directory: found in the cache by its revision, without a network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MODELS = Path(__file__).parents[1] / "resources" / "models"
REVISION = "0123456789abcdef0123456789abcdef01234567"
PROGRAM = """
import json, sys
from daitir.encoders import BlipOptions, load_encoder
from daitir.generators import DiffusersOptions, Order, load_generator
from daitir.reformulators import TransformersOptions, load_reformulator
from daitir.dialogues import Dialogue

where = json.loads(sys.argv[1])
blip = BlipOptions(kind="blip", **where["blip"], device="cpu", max_tokens=64)
sd3 = DiffusersOptions(**where["sd3"], steps=1, guidance=3.0, height=48, width=48, max_sequence_length=1)
templates = {f"{name}_template": f"config/templates/mini-{name}.jinja" for name in ("query", "prompt")}
llm = TransformersOptions(kind="transformers", **where["llm"], **templates, device="cpu", max_new_tokens=48)
[batch] = load_generator(sd3).draw([Order("a red star", 1, 3)])
dialogue = Dialogue("d", "t", ("a red star and two other shapes",))
[query] = load_reformulator(llm).reformulate([(dialogue, [0])])
features = load_encoder(blip).encode_texts(["a red star"]).features
print(json.dumps([features.tolist(), batch[0][1].tobytes().hex(), query.query_text, query.prompts]))
"""


def put_into_cache(cache: Path, owner_and_name: str, model: Path) -> None:
    folder = cache / "hub" / f"models--{owner_and_name.replace('/', '--')}"
    shutil.copytree(model, folder / "snapshots" / REVISION)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(REVISION)


def made_with(models: dict[str, dict[str, str]], cache: Path) -> list[object]:
    settings = {"env": os.environ | {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}, "cwd": MODELS.parents[1]}
    command = [sys.executable, "-c", PROGRAM, json.dumps(models)]
    done = subprocess.run(command, **settings, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_hub_id_gives_what_its_directory_gives(tmp_path):
    """Encoder, generator and language model: the same features, pixels and texts either way."""
    names = {"blip": "mini-blip", "sd3": "mini-sd3", "llm": "mini-llm"}
    for name in names.values():
        put_into_cache(tmp_path, f"someone/{name}", MODELS / name)
    by_id = {part: {"model": f"someone/{name}", "revision": REVISION} for part, name in names.items()}
    by_path = {part: {"model": str(MODELS / name)} for part, name in names.items()}
    assert made_with(by_id, tmp_path) == made_with(by_path, tmp_path)
