"""The profile for SLURM, as the executor reads it."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from daitir.analyses.options import KINDS

ROOT = Path(__file__).parents[1]
PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
GPU_RULES = {
    found[1]
    for found in re.finditer(r"^rule (\w+):\n((?:    .*\n|\n)+)", RULES, re.MULTILINE)
    if " gpu=" in found[2]
}


@pytest.fixture
def partitions(monkeypatch):
    """The partitions of the profile, read by the executor."""
    from snakemake_executor_plugin_slurm.partitions import read_partition_file

    assert yaml.safe_load(PROFILE.read_text())["slurm-partition-config"] == PROFILE.name
    return read_partition_file(PROFILE)


@pytest.mark.parametrize(("gpus", "expected"), [(0, "cpu"), (1, "gpu"), (8, "gpu"), (9, None)])
def test_a_job_goes_where_its_gpus_are(partitions, gpus, expected):
    """CPU jobs stay away from GPU partitions, and nobody asks one for more than it has."""
    resources = {"mem_mb": 48_000, "runtime": 240, "gpu": gpus}
    job = SimpleNamespace(resources=resources, threads=1, name="job")
    scores = {partition.name: partition.score_job_fit(job) for partition in partitions}
    fitting = {name: score for name, score in scores.items() if score is not None}
    assert max(fitting, key=fitting.__getitem__, default=None) == expected


def test_every_value_of_the_site_is_explained():
    """Each key of the profile's first part has its row in the documentation."""
    part = PROFILE.read_text().split("edit this part\n")[1].split("until here")[0]
    keys = re.findall(r"^(?:  )?(?:# ?)?([a-z][\w-]+):", part, re.MULTILINE)
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "docs" / "cluster.md").read_text(), re.MULTILINE)
    explained = set(re.findall(r"`([\w-]+)`", " ".join(rows)))
    assert {"jobs", "slurm_account", "partitions"} <= set(keys)
    assert set(keys) - {"default-resources", "cpu", "gpu"} - GPU_RULES <= explained


def test_the_rules_that_use_gpus_are_named():
    """Whoever has to ask for GPUs in another form finds all of them."""
    text = (ROOT / "docs" / "cluster.md").read_text()
    (named,) = re.findall(r"write it for the rules that draw and encode: (.+?)\. A value", text, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", named)) == GPU_RULES


def test_the_table_of_memory_is_that_of_the_rules():
    """Rows with the gigabytes and hours that the rules ask for."""
    asked = {}
    rules = re.findall(r"^rule (\w+):\n((?:    .*\n|\n)+)", RULES, re.MULTILINE)
    one_a_kind = re.findall(r"^            f\"(\w+)_{kind}\"\n((?:        .*\n|\n)+)", RULES, re.MULTILINE)
    for name, body in [*rules, *((f"{name}_{kind}", body) for name, body in one_a_kind for kind in KINDS)]:
        memory, hours = (re.search(rf"{word}=\w+\((\d+)\)", body) for word in ("mem_mb", "runtime"))
        if memory and hours and int(memory[1]) > 4:
            asked[name] = (memory[1], hours[1])
    rows = re.findall(
        r"^\| (`\w+`.*?) \| (\d+) GB \| (\d+) \|", (ROOT / "docs" / "cluster.md").read_text(), re.MULTILINE
    )
    told = {rule: (memory, hours) for names, memory, hours in rows for rule in re.findall(r"`(\w+)`", names)}
    assert told == asked
