"""Whole runs of the workflow, in folders of their own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class RunFolder:
    """A folder to run the workflow in, with the shipped models and its own results."""

    folder: Path

    def snakemake(
        self, *arguments: str, config: dict[str, Any] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake here with a config and return what it printed."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
        if config is not None:
            (self.folder / "edited.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
            command += ["--configfile", "edited.yaml"]
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def run(self, *arguments: str, config: dict[str, Any] | None = None) -> str:
        """Run Snakemake to a good end."""
        done = self.snakemake(*arguments, config=config)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def planned(self, config: dict[str, Any]) -> dict[str, int]:
        """Return how many jobs of each rule a dry run would do."""
        return count_jobs(self.run("--dry-run", "--cores", "2", config=config))


def count_jobs(output: str) -> dict[str, int]:
    """Read the job statistics that Snakemake prints."""
    table = re.search(r"Job stats:\n.*\n[- ]+\n(.*?)\n\n", output, re.DOTALL)
    if table is None:
        assert "Nothing to be done" in output, output
        return {}
    rows = (line.split() for line in table[1].splitlines())
    return {name: int(count) for name, count in rows if name not in {"total", "all"}}


def new_run_folder(folder: Path) -> RunFolder:
    (folder / "resources").mkdir(parents=True)
    (folder / "resources" / "models").symlink_to(ROOT / "resources" / "models")
    (folder / "config").symlink_to(ROOT / "config")
    return RunFolder(folder)


@pytest.fixture(scope="session")
def smoke() -> Callable[[], dict[str, Any]]:
    """Return a fresh copy of the smoke config, to edit."""
    text = (ROOT / "config" / "smoke.yaml").read_text()
    return lambda: yaml.safe_load(text)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, smoke) -> RunFolder:
    """A folder in which the smoke config was run to its end; tests only plan in it."""
    run_folder = new_run_folder(tmp_path_factory.mktemp("finished") / "run")
    run_folder.run("--cores", "2", config=smoke())
    return run_folder


@pytest.fixture
def run_folder(tmp_path) -> RunFolder:
    """A folder without results."""
    return new_run_folder(tmp_path / "run")
