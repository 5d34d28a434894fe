"""A cluster, and the smoke config run on it and beside it."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.slurm import Slurm, missing_programs, wait_until
from tests.workflow.conftest import ROOT, new_run_folder

# Other latencies than a real cluster's, and no accounting database.
HERE = "--slurm-status-command squeue --slurm-init-seconds-before-status-checks 1 --latency-wait 10 --jobs 5"


@pytest.fixture(scope="session")
def slurm():
    """A SLURM of two nodes with two CPUs and a GPU each."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"no {', '.join(missing)} here: install Debian's slurm-wlm and munge")
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # a socket's path must be short
    folder.chmod(0o755)
    cluster = Slurm(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


def config() -> dict[str, Any]:
    """Return the smoke config in small batches, its generator on a GPU."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    values["generators"]["sd3"] |= {"batch_size": 1, "device": "auto"}
    values["reformulators"]["llm"] |= {"batch_size": 1}
    return values


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """The folder of a run without a cluster."""
    run = new_run_folder(tmp_path_factory.mktemp("local") / "run")
    run.run("--cores", "2", "--until", "rank_candidates", config=config())
    return run.folder


@dataclass
class Submitter:
    """A folder in which Snakemake hands the jobs of a config to the cluster."""

    folder: Path
    slurm: Slurm
    process: subprocess.Popen[bytes] | None = None

    @property
    def results(self) -> Path:
        """Where the results lie."""
        return self.folder / "results" / "smoke"

    @property
    def said(self) -> str:
        """All that Snakemake said."""
        return (self.folder / "said.log").read_text()

    def write_config(self, values: dict[str, Any]) -> None:
        """Write or edit the config."""
        (self.folder / "edited.yaml").write_text(yaml.safe_dump(values, sort_keys=False))

    def start(self, *arguments: str) -> None:
        """Start Snakemake with the shipped profile."""
        profile = ["--workflow-profile", str(ROOT / "profiles" / "slurm"), *HERE.split()]
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        with (self.folder / "said.log").open("ab") as said:
            self.process = subprocess.Popen(
                [*command, *profile, "--configfile", "edited.yaml", *arguments],
                cwd=self.folder,
                env=self.slurm.environment
                | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
                stdout=said,
                stderr=said,
            )

    def finish(self) -> None:
        """Wait for a good end."""
        assert self.process is not None
        assert self.process.wait(900) == 0, self.said

    def wait_for(self, words: str, path: Path) -> None:
        """Wait until a log says something."""
        wait_until(
            lambda: path.is_file() and words in path.read_text(), f"{path} says {words!r}", seconds=300
        )


def ranks(folder: Path) -> dict[str, str]:
    """Return the digests of the ranks tables below a folder."""
    files = sorted((folder / "results" / "smoke" / "ranks").rglob("*.parquet"))
    assert files
    return {file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
