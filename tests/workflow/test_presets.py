"""Every preset is planned whole, and its job count is the one that the docs state."""

import re
from pathlib import Path

import pytest
import yaml

from daitir.config import load_config

from .conftest import ROOT, RunFolder

PRESETS = sorted(path for path in (ROOT / "config").glob("*.yaml"))
DOCS = ROOT / "docs" / "presets.md"


def placeholders(folder: Path, values: dict) -> None:
    """Make what a preset expects to be there before anything runs: empty folders and files."""
    config = load_config(values)
    models = folder / "resources" / "models"
    models.mkdir(parents=True)
    for shipped in (ROOT / "resources" / "models").iterdir():
        (models / shipped.name).symlink_to(shipped)
    (folder / "config").symlink_to(ROOT / "config")
    for corpus in config.corpora.values():
        if not made_by_a_rule(corpus.images):
            (folder / corpus.images).mkdir(parents=True)
    files = [dialogues.file for dialogues in config.dialogues.values()]
    files += [file for part in config.reformulators.values() for file in getattr(part, "files", {}).values()]
    for file in {file for file in files if not made_by_a_rule(file)}:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    for component in (*config.encoders.values(), *config.generators.values(), *config.reformulators.values()):
        model = getattr(component, "model", "")
        if model.startswith("resources/models/") and not (folder / model).exists():
            (folder / model).mkdir()
            (folder / model / "config.json").write_text("{}")


def made_by_a_rule(path: Path) -> bool:
    made = ("results", "resources/mini", "resources/chatir", "resources/stand-ins")
    return any(path.is_relative_to(folder) for folder in made)


def stated_jobs(preset: str) -> int:
    """Return the job count in the table of the docs."""
    found = re.search(
        rf"^\| `config/{re.escape(preset)}` \|.*?\| ([\d,]+) \|$", DOCS.read_text(), re.MULTILINE
    )
    assert found, f"docs/presets.md has no row for config/{preset}"
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.name)
def test_preset_is_planned_with_the_stated_number_of_jobs(preset, tmp_path):
    """From the dialogue files to the report, on a machine that has nothing but the inputs."""
    values = yaml.safe_load(preset.read_text())
    placeholders(tmp_path, values)
    jobs = RunFolder(tmp_path).planned(values)
    assert jobs["write_report"] == 1
    assert sum(jobs.values()) == stated_jobs(preset.name), (
        f"docs/presets.md: {preset.name} has {sum(jobs.values())} jobs"
    )
