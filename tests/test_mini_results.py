"""The shipped results on mini are those of the shipped config."""

import re
from pathlib import Path

import pytest
import yaml

from daitir.config import load_config

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "mini-results.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def config():
    return load_config(yaml.safe_load((ROOT / "config" / "mini-results.yaml").read_text()))


def test_every_system_has_a_row(config):
    """On each dialogue set those that are measured on it, and the upper line."""
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    for name in config.evaluate:
        section = next(part for part in sections if part.startswith(f"{name}\n"))
        rows = {
            line.split("|")[1].strip().strip("*") for line in section.splitlines() if line.startswith("|")
        }
        assert rows >= {*config.systems_on(name), *config.oracles_on(name)}


def test_every_claim_has_a_verdict(config):
    """Each is a line that begins with what came of it."""
    for claim in config.report.claims:
        stated = re.escape(claim.claim.rstrip("."))
        assert re.search(rf"^- \*\*(Holds|Does not hold|Not shown):\*\* {stated}", TEXT, re.MULTILINE), claim
    assert len(config.report.claims) == 12
