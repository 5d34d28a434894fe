"""The container recipe says what it must; that it builds is tried where there is a network."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
HEADER = re.compile(r"(\w+): *(\S+)")


def read_recipe() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the header of the recipe, and the lines of each section."""
    header: dict[str, str] = {}
    sections: dict[str, list[str]] = {}
    section = None
    for line in (ROOT / "envs" / "daitir.def").read_text().splitlines():
        if line.startswith("%"):
            section = sections.setdefault(line[1:], [])
        elif section is not None and line.strip():
            section.append(line.strip())
        elif section is None and line and not line.startswith("#"):
            match = HEADER.fullmatch(line)
            assert match is not None, line
            header[match[1]] = match[2]
    return header, sections


def test_it_starts_from_the_python_of_the_conda_environment():
    """A pinned image of the same minor version, which the package allows."""
    header, _ = read_recipe()
    assert header["Bootstrap"] == "docker"
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", header["From"])
    environment = yaml.safe_load((ROOT / "envs" / "daitir.yaml").read_text())
    assert version is not None
    assert f"python={version[1]}" in environment["dependencies"]


@pytest.mark.parametrize("section", ["files", "post", "environment", "runscript", "test", "labels", "help"])
def test_every_section_is_there_and_says_something(section):
    """An empty one would be a slip."""
    assert read_recipe()[1][section]


def test_the_files_it_copies_exist_and_are_what_the_build_needs():
    """Each from the repository's root to the folder that is installed."""
    pairs = [line.split() for line in read_recipe()[1]["files"]]
    assert all((ROOT / source).exists() for source, _ in pairs)
    assert all(target == f"/opt/daitir/{source}" for source, target in pairs)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"pyproject.toml", "constraints.txt", "src", project["readme"], *project["license-files"]} == {
        source for source, _ in pairs
    }


def test_it_installs_the_pinned_versions_and_no_others():
    """Every installation goes by constraints.txt, which pins each dependency of the package."""
    installs = [line for line in read_recipe()[1]["post"] if "pip install" in line]
    assert installs
    assert all("--constraint /opt/daitir/constraints.txt" in line for line in installs)
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", dependency)[0].lower() for dependency in project["dependencies"]}
    assert {name.replace("_", "-") for name in names} <= {name.replace("_", "-") for name in pinned}


def test_the_workflow_names_the_image_that_the_recipe_makes():
    """What the recipe's first lines build is what the jobs run in."""
    image = re.search(r'^container: "(.+?)"', (ROOT / "Snakefile").read_text(), re.MULTILINE)
    assert image is not None
    assert f"apptainer build {image[1]} envs/daitir.def" in (ROOT / "envs" / "daitir.def").read_text()
