"""A whole run of every stage, made once; what is broken are copies of it."""

import copy
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.dying import Ended
from tests.faults.jobs import Job, planned, run_all
from tests.workflow.conftest import RunFolder, new_run_folder, smoke  # noqa: F401
from tests.workflow.few import about_few, draw_few

# How much is drawn or asked at a time changes no byte; small batches leave more to interrupt.
BATCHES = {"generators": {"sd3": 4}, "reformulators": {"llm": 8}}
TUNED = {
    "kind": "tuned",
    "encoder": "blip",
    "train": {
        "kind": "dmcl",
        "dialogues": "few-train",
        "queries": "llm",
        "images": "sd3",
        "seeds": [0],
        "held_out": 0.25,
        "epochs": 3,
        "warmup_epochs": 1,
        "learning_rate": 0.001,
        "batch": 8,
        "accumulation": 1,
    },
}
SIMULATED = {
    "corpus": "mini",
    "targets": 4,
    "rounds": 3,
    "questioner": {
        "kind": "transformers",
        "model": "resources/models/mini-questioner",
        "question_template": "config/templates/mini-question.jinja",
        "dtype": "float32",
        "max_new_tokens": 24,
        "attempts": 50,
        "batch_size": 1,
        "device": "cpu",
    },
    "answerer": {"kind": "python", "function": "daitir.mini.answers:WorldAnswerer", "batch_size": 1},
}
SHARED = {"import_dialogues", "reformulate", "generate", "encode", "train", "rank"}


@dataclass(frozen=True)
class Whole:
    """A run folder that came to its end, its jobs, and how each ended."""

    folder: Path
    jobs: dict[Job, Ended]
    config: dict[str, Any]

    @property
    def longest(self) -> dict[str, Job]:
        """The job of each kind that took the most steps."""
        by_steps = sorted(self.jobs, key=lambda job: len(self.jobs[job].steps))
        return {job.kind: job for job in by_steps}


@pytest.fixture(scope="session")
def root():
    """A folder that others than its owner may enter."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def plain_config(smoke) -> dict[str, Any]:  # noqa: F811
    """The smoke config in small batches, with dialogues about a few pictures."""
    config = smoke()
    for kind, sizes in BATCHES.items():
        for name, size in sizes.items():
            config[kind][name]["batch_size"] = size
    return about_few(config)


@pytest.fixture(scope="session")
def new_folder(root) -> Callable[[str], RunFolder]:
    """Return a function that makes a folder to run in, with pictures and dialogues about them."""

    def make(name: str) -> RunFolder:
        run_folder = new_run_folder(root / name)
        draw_few(run_folder.folder)
        return run_folder

    return make


@pytest.fixture(scope="session")
def whole(new_folder, plain_config) -> Whole:
    """All stages: the smoke config, a tuned encoder, an oracle, and simulated dialogues."""
    config = copy.deepcopy(plain_config)
    config["encoders"]["tuned"] = TUNED
    config["systems"]["text-tuned"] = {
        "encoder": "tuned",
        "queries": "llm",
        "method": "text",
        "baseline": "text",
    }
    config["oracles"] = {"oracle": {"of": ["text", "text-tuned"], "baseline": "text"}}
    config["simulations"] = {"simulated": SIMULATED}
    run_folder = new_folder("whole")
    jobs = planned(run_folder, config, ("all", "simulate_dialogues"))
    return Whole(run_folder.folder, run_all(jobs, run_folder.folder), config)


@pytest.fixture(scope="session")
def plain(whole, new_folder, plain_config) -> Whole:
    """The smoke config alone: what it shares with ``whole`` is taken from there, the rest is made."""
    run_folder = new_folder("plain")
    folder, jobs = run_folder.folder, planned(run_folder, plain_config, ("all",))
    shared = [job for job in jobs if job in whole.jobs and job.kind.partition(" ")[0] in SHARED]
    for output in (output for job in shared for output in job.outputs):
        (folder / output).parent.mkdir(parents=True, exist_ok=True)
        os.link(whole.folder / output, folder / output)
    ended = {job: whole.jobs[job] for job in shared}
    return Whole(folder, ended | run_all(jobs, folder), plain_config)


@pytest.fixture(scope="session")
def each_kind(whole) -> Callable[[Callable[[Job], Any]], dict[str, Future[Any]]]:
    """Return a function that does something with a job of each kind, two at a time; what came of it."""

    def do(what: Callable[[Job], Any]) -> dict[str, Future[Any]]:
        with ThreadPoolExecutor(2) as pool:
            return {kind: pool.submit(what, job) for kind, job in whole.longest.items()}

    return do
