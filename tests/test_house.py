"""The house is in order: linters, types, formats, sizes."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = ["Snakefile", "workflow"]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["codespell", "src", "tests", "workflow", "docs", "README.md", "CHANGELOG.md"],
        ["snakefmt", "--check", "--line-length", "110", *WORKFLOW],
        ["snakemake", "--lint"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_tool_finds_nothing(command):
    """Each tool of the house is content."""
    tool = [str(Path(sys.executable).parent / command[0]), *command[1:]]
    done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_long():
    """No file of code has more than 250 lines."""
    files = [path for folder in ("src", "tests", "workflow", "bench") for path in (ROOT / folder).rglob("*")]
    long = [
        path.name
        for path in files
        if path.suffix in {".py", ".smk"} and len(path.read_text().splitlines()) > 250
    ]
    assert long == []


def test_conda_environment_has_the_pinned_versions():
    """Both ways to install give the same versions of every dependency."""
    pinned = set((ROOT / "constraints.txt").read_text().splitlines())
    environment = yaml.safe_load((ROOT / "envs" / "daitir.yaml").read_text())
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[\w-]+", dependency)[0] for dependency in dependencies} - {"snakemake"}
    listed = environment["dependencies"][-1]["pip"]
    assert {line.split("==")[0] for line in listed} == names
    assert {line.lower() for line in listed} <= {line.lower() for line in pinned}


def test_planning_loads_no_model_library():
    """What the Snakefile imports is light: planning takes a second."""
    heavy = "{'torch', 'transformers', 'diffusers', 'h5py', 'pyarrow', 'pandas', 'scipy', 'matplotlib'}"
    code = f"import sys, daitir.planning; sys.exit(', '.join({heavy} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pages_and_figures_load_no_model_library():
    """The start of stages without models is short; those that draw nothing have no use for matplotlib."""
    stages = "'draw_analyses', 'plot_training', 'report', 'summarise', 'explore', 'measure', 'write_runs'"
    code = (
        "import importlib, sys\nfrom typing import get_args\n"
        "from daitir.analyses import load_analysis\nfrom daitir.analyses.options import Analysis\n"
        "for name in get_args(Analysis): load_analysis(name)\n"
        "import daitir.stages.explore, daitir.stages.report\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"for name in ({stages}): importlib.import_module('daitir.stages.' + name)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
