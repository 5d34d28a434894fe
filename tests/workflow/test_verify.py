"""The check of results and the status, on a whole run."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from daitir.layout import Layout
from daitir.planning.inventory import Inventory
from tests.checked_results import plan_of


@pytest.fixture
def call(finished, smoke, tmp_path):
    """Return a function that calls one of the two where the run was."""

    def called(module, *arguments, results="results/smoke"):
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(smoke()))
        command = [
            sys.executable,
            "-m",
            f"daitir.{module}",
            "--configfile",
            str(file),
            "--results",
            str(results),
        ]
        return subprocess.run(
            [*command, *arguments],
            cwd=finished.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return called


def test_a_finished_run_is_whole(call):
    """Every file that the config makes is there, complete, and made from those that lie there."""
    done = call("verify", "--json")
    assert done.returncode == 0, done.stdout
    assert {one["state"] for one in json.loads(done.stdout)["findings"]} <= {"stranger"}


def test_jobs_are_those_that_snakemake_plans(run_folder, smoke):
    """As many of each rule."""
    listed = Counter(job.rule for job in Inventory(plan_of(smoke())).jobs())
    planned = run_folder.planned(smoke())
    assert listed == {rule: count for rule, count in planned.items() if rule not in {"make_mini"}}


def test_damage_in_a_run_is_found(call, finished, tmp_path):
    """A picture that lost a bit, and weights of the other seed in the place of one's own."""
    shutil.copytree(finished.folder / "results/smoke", tmp_path / "results")
    layout = Layout(str(tmp_path / "results"))
    shard = layout.images("sd3", "llm", "few-val", "0-of-2")
    data = bytearray(Path(shard).read_bytes())
    data[3000] ^= 1
    Path(shard).write_bytes(data)
    one, other = (layout.fusion("adafuse", "blip", "sd3", "llm", seed) for seed in (0, 1))
    shutil.copy(f"{one}/model.safetensors", f"{other}/model.safetensors")
    done = call("verify", "--json", results=tmp_path / "results")
    assert done.returncode == 1
    found = json.loads(done.stdout)["findings"]
    assert {one["path"] for one in found if one["state"] == "damaged"} == {
        shard,
        f"{other}/model.safetensors",
    }


def test_status_of_a_finished_run(call):
    """All is done, and the seconds of each job are known."""
    done = call("status")
    assert done.returncode == 0, done.stderr
    assert "All 29 jobs are done" in done.stdout
