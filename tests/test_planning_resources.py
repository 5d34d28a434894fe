"""What jobs ask the machine or the cluster for."""

from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from daitir.config import load_config
from daitir.planning import Plan
from daitir.planning.resources import gigabytes, hours
from tests.test_planning_tuned import ROOT, tuned


def plan(device: str = "cpu", **recipe: Any) -> Plan:
    """A plan of the smoke config with all components on one device, and an encoder that is tuned."""
    values = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    for part, name in PARTS.values():
        values[part][name]["device"] = device
    values["encoders"]["blip-dmcl"] = tuned(images="sd3", **recipe)
    values["systems"]["dmcl"] = {"encoder": "blip-dmcl", "queries": "llm", "method": "text"}
    return Plan(load_config(values))


PARTS = {
    "reformulator": ("reformulators", "llm"),
    "generator": ("generators", "sd3"),
    "encoder": ("encoders", "blip"),
    "fusion": ("fusions", "adafuse"),
}


def job(**wildcards: str) -> SimpleNamespace:
    return SimpleNamespace(**wildcards)


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("auto", 1), ("cuda", 1), ("mps", 1)])
def test_a_job_asks_for_a_gpu_where_its_device_says_so(kind, device, gpus):
    """One GPU unless all of it computes on the CPU."""
    assert plan(device).gpu(kind, kind)(job(**{kind: PARTS[kind][1]})) == gpus


def test_a_reformulator_without_a_model_asks_for_none():
    """Turns are joined without one."""
    assert plan("auto").gpu("reformulator", "reformulator")(job(reformulator="raw")) == 0


def test_a_tuned_encoder_computes_where_its_base_does():
    """A seed of it asks for what the base asks for."""
    assert plan("auto").gpu("encoder", "encoder")(job(encoder="blip-dmcl.seed-4")) == 1


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("auto", 3)])
def test_several_processes_tune_in_one_job(device, gpus):
    """Each has a GPU of its own; all are started by one command, and no option of the bytes knows of them."""
    one, three = plan(device), plan(device, processes=3)
    what = job(encoder="blip-dmcl", seed="0")
    assert (three.processes(what), three.gpus_to_tune(what)) == (3, gpus)
    assert three.launcher(what, None).endswith("torch.distributed.run --standalone --nproc-per-node 3")
    assert one.launcher(what, None) == "python"
    assert one.tune_options(what) == three.tune_options(what)


@pytest.mark.parametrize(
    ("attempt", "memory", "minutes"), [(1, 8_000, 240), (2, 16_000, 480), (4, 32_000, 480)]
)
def test_an_attempt_more_has_more(attempt, memory, minutes):
    """Memory grows with each attempt; the hours double once, so that no partition's limit is left."""
    assert (gigabytes(8)(None, attempt), hours(4)(None, attempt)) == (memory, minutes)
