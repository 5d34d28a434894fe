"""The table of the fusions in docs/fusions.md is true."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from pydantic import TypeAdapter

from daitir.fusions import TRAINED_KINDS, FusionOptions
from daitir.fusions.sizes import parameters_of
from daitir.fusions.trained import build_network

PAGE = (Path(__file__).parents[1] / "docs" / "fusions.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\{kind.*?\})` \| .* \| ([\d,]+) \| .* \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("options", "weights"), ROWS)
def test_weights_in_the_table(options, weights):
    """What stands in the first cell is a fusion of a config, with as many weights as the table says."""
    values = yaml.safe_load(options)
    if values["kind"] in TRAINED_KINDS:
        values["train"] = {"dialogues": "d"}
    fusion = TypeAdapter(FusionOptions).validate_python(values)
    count = 0
    if values["kind"] in TRAINED_KINDS:
        with torch.device("meta"):
            count = parameters_of(build_network(fusion, width=256))
    assert f"{count:,}" == weights


def test_every_kind_is_in_the_table():
    """No kind is missing; one with the weights of others has its own section."""
    shown = {yaml.safe_load(options)["kind"] for options, _ in ROWS} | {"adafuse-released"}
    assert shown == TRAINED_KINDS | {"text", "image", "add", "dar"}
