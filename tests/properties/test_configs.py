"""Configs and options of stages: real ones with keys and values changed at any place."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from daitir.command import parse_call, stage_parser
from daitir.config import load_config
from daitir.config.missing import missing_files
from daitir.config.reading import read_config
from daitir.errors import DaitirError
from daitir.planning import Plan
from daitir.stages.encode import EncodeOptions
from daitir.stages.generate import GenerateOptions
from daitir.stages.import_dialogues import ImportOptions
from daitir.stages.reformulate import ReformulateOptions

from .malformed import EDITS, bent, damage, ends_well

ROOT = Path(__file__).parents[2]
FILES = ["config.yaml", "config/smoke.yaml", "config/paper-adafuse.yaml", "config/own-images.yaml"]
CONFIGS = {name: yaml.safe_load((ROOT / name).read_text()) for name in FILES}
MANY = 200  # lines, one a fault


def planned(config):
    """What the workflow asks first."""
    plan = Plan(config)
    return [plan.ranks, plan.tables, plan.figures, list(missing_files(config))]


@pytest.mark.parametrize("name", CONFIGS)
@given(data=st.data())
def test_a_bent_config_is_refused_or_can_be_planned(name, data):
    """Each fault is a line with the path of its key."""
    config = ends_well(load_config, data.draw(bent(CONFIGS[name])), lines=MANY)
    if config is not None:
        ends_well(planned, config)
        assert load_config(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("name", FILES[:2])
@settings(max_examples=150)
@given(edits=EDITS)
def test_a_damaged_config_file_is_refused_or_read(folder, name, edits):
    """What is no YAML is said in one line, and YAML makes no objects and runs nothing."""
    file = folder / "config.yaml"
    file.write_bytes(damage((ROOT / name).read_bytes(), edits))
    values = ends_well(read_config, [file])
    if values is not None:
        ends_well(load_config, values, lines=MANY)


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.mkdir [was-run]", "a: !!python/name:os.mkdir", "!!python/module:os"]
)
def test_a_config_makes_no_objects(tmp_path, monkeypatch, text):
    """A YAML tag of Python's is refused in one line."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(text)
    with pytest.raises(DaitirError):
        load_config(read_config([Path("config.yaml")]))
    assert not Path("was-run").exists()


SMOKE = CONFIGS["config/smoke.yaml"]
STAGES = {
    ImportOptions: {"format": "chatir", "rounds": 3, "limit": 6},
    ReformulateOptions: {"reformulator": SMOKE["reformulators"]["llm"], "rounds": {"rounds": 3}},
    GenerateOptions: {"generator": SMOKE["generators"]["sd3"]},
    EncodeOptions: {"encoder": SMOKE["encoders"]["blip"]},
}


@pytest.mark.parametrize("options", STAGES, ids=lambda options: options.__name__)
@given(data=st.data())
def test_bent_options_of_a_stage_are_refused_or_taken(options, data):
    """By the workflow's own way: JSON on the command line, and what is no JSON."""
    good = {"code": "1"} | STAGES[options]
    text = json.dumps(data.draw(bent(good)))
    if data.draw(st.booleans()):
        text = damage(json.dumps(good).encode(), data.draw(EDITS)).decode(errors="replace")
    how = json.dumps(data.draw(bent({"encoder": {"device": "cpu", "batch_size": 4}}) | st.just({})))
    parser = stage_parser("A stage.")
    call = ends_well(parse_call, parser, options, [f"--options={text}", f"--how={how}"])
    assert call is None or isinstance(call.options, options)
