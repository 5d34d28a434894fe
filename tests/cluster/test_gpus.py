"""GPUs are given in either form in which a site may want them asked for."""

import subprocess
import sys

import pytest

from tests.cluster.conftest import HERE
from tests.workflow.conftest import ROOT

WORKFLOW = """
rule all:
    input:
        expand("{rule}.txt", rule=["one", "other_form", "none"]),

rule one:
    output: "one.txt"
    resources: gpu=1
    shell: "echo GPU ${{CUDA_VISIBLE_DEVICES:-none}} > {output}"

rule other_form:
    output: "other_form.txt"
    resources: gpu=1
    shell: "echo GPU ${{CUDA_VISIBLE_DEVICES:-none}} > {output}"

rule none:
    output: "none.txt"
    resources: gpu=0
    shell: "echo GPU ${{CUDA_VISIBLE_DEVICES:-none}} > {output}"
"""
WHERE = {"one": "gpu", "other_form": "gpu", "none": "cpu"}


@pytest.fixture(scope="module")
def given(slurm, tmp_path_factory):
    """What three jobs were given: one asks by --gpus, one by --gres as documented, one for none."""
    folder = tmp_path_factory.mktemp("gpus")
    (folder / "Snakefile").write_text(WORKFLOW)
    profile = ["--workflow-profile", str(ROOT / "profiles" / "slurm"), *HERE.split()]
    by_gres = ["--set-resources", "other_form:gpu=0", "other_form:gres='gpu:1'"]
    command = [sys.executable, "-m", "snakemake", *profile, *by_gres]
    done = subprocess.run(
        command, cwd=folder, env=slurm.environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        path.stem: path.read_text().split()[1] for path in folder.glob("*.txt")
    }, done.stderr + done.stdout


def test_a_job_sees_the_gpu_it_asked_for(given):
    """In both forms it is the first of its node; who asked for none sees none."""
    assert given[0] == {"one": "0", "other_form": "0", "none": "none"}


def test_jobs_are_sent_to_the_partition_of_their_kind(given):
    """GPU jobs to the partition with GPUs, others to the one without."""
    sent = {name: f"Auto-selected partition '{where}' for job {name}" for name, where in WHERE.items()}
    assert [name for name, words in sent.items() if words not in given[1]] == []
