"""docs/your-own-data.md is followed to the letter, with mini's models in place of the large ones."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from daitir.config import load_config
from daitir.mini.talk import hold_dialogue
from daitir.mini.world import draw_album, render
from daitir.readers import READERS

from .conftest import ROOT

GUIDE = (ROOT / "docs" / "your-own-data.md").read_text()
OVERLAY = """
simulations:
  simulated:
    targets: 6
    questioner: {model: resources/models/mini-questioner, revision: null, dtype: float32, max_new_tokens: 24,
                 question_template: config/templates/mini-question.jinja, device: cpu}
    answerer: {kind: python, function: "daitir.mini.answers:WorldAnswerer"}
reformulators:
  llm: {model: resources/models/mini-llm, revision: null, dtype: float32, max_new_tokens: 64, device: cpu,
        query_template: config/templates/mini-query.jinja,
        prompt_template: config/templates/mini-prompt.jinja}
generators:
  schnell: {model: resources/models/mini-sd3, revision: null, dtype: float32, max_sequence_length: 1,
            height: 48, width: 48, guidance: 3.0, device: cpu}
encoders:
  siglip: {kind: blip, model: resources/models/mini-blip, revision: null, device: cpu}
report: {examples: 2, resamples: 200, rounds: [0, 5]}
"""


def section(title: str) -> str:
    """Return a section of the guide."""
    return GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(title: str, language: str) -> list[str]:
    """Return the code blocks of one language in a section."""
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def commands(title: str) -> list[str]:
    """Return the commands of a section, without their comments."""
    lines = "".join(blocks(title, "bash")).splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip()]


@pytest.fixture
def folder(tmp_path):
    """What a clone holds, as far as the guide needs it, with a folder of pictures beside the Snakefile."""
    for name in ("Snakefile", "workflow", "profiles", "src", "envs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "models").symlink_to(ROOT / "resources" / "models")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "templates").symlink_to(ROOT / "config" / "templates")
    values = yaml.safe_load((ROOT / "config" / "own-images.yaml").read_text())
    del values["simulations"]["simulated"]["answerer"]  # another kind has other keys
    (tmp_path / "config" / "own-images.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    scenes = draw_album(random.Random(0), "val", 40)
    for number, scene in enumerate(scenes):
        path = tmp_path / "my-images" / ("left" if number % 2 else "right") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        render(scene).save(path)
    return tmp_path, scenes


def follow(folder: Path, title: str, change: dict | None = None) -> str:
    """Run the commands of a section and return what they printed."""
    (folder / "mini.yaml").write_text(yaml.safe_dump(yaml.safe_load(OVERLAY) | (change or {})))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    printed = ""
    for command in commands(title):
        with_mini = command.replace("config/own-images.yaml", "config/own-images.yaml mini.yaml")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", with_mini],
            cwd=folder,
            env=os.environ | {"PATH": path, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{with_mini}\n{done.stdout}{done.stderr}"
        printed += done.stdout
    return printed


def test_images_and_dialogues_lead_to_a_report(folder):
    """The first way: a folder of images and a JSON Lines of dialogues."""
    root, scenes = folder
    names = sorted(path.relative_to(root / "my-images").as_posix() for path in root.glob("my-images/*/*.png"))
    with (root / "my-dialogues.jsonl").open("w") as file:
        for name in names[:6]:
            scene = scenes[int(Path(name).stem)]
            turns = [turn.text for turn in hold_dialogue(scene, random.Random(name), "human")]
            line = {"id": f"shoe-{Path(name).stem}", "target": name, "turns": turns[:6]}
            file.write(json.dumps(line) + "\n")
    assert len(commands("A folder of images and your dialogues")) == 3
    follow(root, "A folder of images and your dialogues")
    assert (root / "results/own-images/report.html").stat().st_size > 100_000
    assert len(json.loads((root / "results/own-images/corpora/mine.json").read_text())) == 40


def test_images_alone_get_dialogues(folder):
    """The second way: dialogues are simulated, and the report is made of them."""
    root, _ = folder
    simulated = {"dialogues": {"mine": {"file": "results/own-images/simulated/simulated.jsonl"}}}
    printed = follow(root, "A folder of images alone", simulated)
    file = root / "results/own-images/simulated/simulated.jsonl"
    dialogues = READERS["jsonl"].read(file)
    assert len(dialogues) == 6
    assert all(len(dialogue.turns) == 6 for dialogue in dialogues)
    assert dialogues[0].turns[0] in printed
    assert (root / "results/own-images/report.html").exists()


def test_what_the_guide_shows_is_valid(tmp_path):
    """Its configs fit the preset and its line of JSON is a dialogue."""
    for title in ("A folder of images and your dialogues", "A folder of images alone"):
        for block in blocks(title, "yaml"):
            values = yaml.safe_load((ROOT / "config" / "own-images.yaml").read_text())
            for key, part in yaml.safe_load(block).items():
                values[key] = {**values[key], **part} if isinstance(part, dict) else part
            values["corpora"]["mini"] = {"images": "resources/mini/images"}
            load_config(values)
    line = blocks("A folder of images and your dialogues", "json")[0]
    (tmp_path / "d.jsonl").write_text(line)
    assert len(READERS["jsonl"].read(tmp_path / "d.jsonl")[0].turns) == 3
