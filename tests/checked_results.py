"""A small whole results folder for the checks of one: every file, each made from those before it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from daitir.config import load_config
from daitir.dialogues import Dialogue, write_dialogues
from daitir.features import write_features
from daitir.files import digest_text
from daitir.history import write_history
from daitir.planning import Plan
from daitir.planning.inventory import Inventory, Job
from daitir.queries import Query, write_queries
from daitir.ranks import write_ranks
from daitir.seals import seal_folder, write_sealed
from daitir.shards import Picture, write_shard
from daitir.verify.complete import Completeness
from daitir.verify.inputs import Inputs
from daitir.verify.reading import Artefacts, reader_for
from daitir.weights import write_weights
from tests.synthetic import ranks_frame

NAMES = [f"{number}.png" for number in range(12)]
TRAIN = {"dialogues": "train", "epochs": 1, "warmup_epochs": 0, "seeds": [0, 1]}
IMAGE = {"encoder": "blip", "queries": "llm", "images": "sd3", "baseline": "text"}


def checked_config(folder: Path) -> dict[str, Any]:
    """Return a config of two dialogue sets, two shards and a fusion of two seeds."""
    (folder / "corpus.json").write_text(json.dumps(NAMES))
    dialogues = {"file": "few.json", "corpus": "tiny", "rounds": 2}
    return {
        "results": str(folder / "results"),
        "corpora": {"tiny": {"list": str(folder / "corpus.json"), "images": str(folder)}},
        "dialogues": {
            "val": dialogues | {"shards": 2},
            "train": dialogues | {"rounds_per_dialogue": 1, "shards": 1},
        },
        "reformulators": {"llm": {"kind": "join", "prompts": 2}},
        "generators": {"sd3": {"model": "models/sd3", "steps": 3, "images": 2, "per_second": 2.0}},
        "encoders": {"blip": {"kind": "blip", "model": "models/blip"}},
        "fusions": {"adafuse": {"kind": "adafuse", "train": TRAIN}},
        "systems": {
            "text": {"encoder": "blip", "queries": "llm", "method": "text"},
            "dar": IMAGE | {"method": "dar"},
            "adafuse": IMAGE | {"method": "adafuse"},
        },
        "oracles": {"best": {"of": ["text", "dar"], "baseline": "text"}},
        "evaluate": ["val"],
        "report": {"analyses": ["queries"]},
    }


def with_sums(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with systems that are ranked together with text and dar."""
    more = {"add": IMAGE | {"method": "add"}, "image": IMAGE | {"method": "image"}}
    return config | {"systems": config["systems"] | more}


def plan_of(config: dict[str, Any]) -> Plan:
    """Return the plan of a config."""
    return Plan(load_config(config, "checked"))


def make(config: dict[str, Any]) -> Plan:
    """Write every file of a config and return its plan."""
    plan = plan_of(config)
    jobs = list(Inventory(plan).jobs())
    artefacts = Artefacts({path: reader_for(job.rule, path) for job in jobs for path in job.outputs})
    writer = Writer(Completeness(plan, artefacts), Inputs(plan, artefacts))
    for job in jobs:
        writer.write(job)
    return plan


class Writer:
    """Writes the outputs of jobs with what lies there already."""

    def __init__(self, completeness: Completeness, inputs: Inputs) -> None:
        self.completeness, self.inputs = completeness, inputs

    def write(self, job: Job) -> None:
        """Write the files of a job."""
        path = Path(job.outputs[0])
        write = getattr(self, job.rule, None)
        if write is not None:
            seed = {"seed": int(job.wildcards.seed)} if job.rule == "train_fusion" else {}
            write(job, path, {"options": job.options | seed, "inputs": self.inputs.now(job), "encoder": None})
        elif job.rule == "write_explorer":
            path.mkdir(parents=True)
            (path / "index.html").write_text("page")
            seal_folder(path, path, {})
        else:
            for output in job.outputs:
                write_sealed(Path(output), f"{output}\n")

    def import_dialogues(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        told = [Dialogue(f"d{n}", NAMES[n], ("a caption", f"turn of {path.stem}"), n) for n in range(5)]
        write_dialogues(path, told, record)

    def reformulate_dialogues(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        keys = self.completeness.queries(job.wildcards)
        asked = [(key.split("_r")[0], int(key.split("_r")[1])) for key in keys]
        write_queries(path, [Query(*one, f"text of {one}", ("p", "q")) for one in asked], record)

    def generate_images(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        keys = self.completeness.pictures(job.wildcards)
        write_shard(path, [Picture(key, key.encode(), "png", {"prompt": "p"}) for key in keys], record)

    def encode_images(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        features(path, self.completeness.pictures(job.wildcards), record)

    def encode_queries(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        features(path, self.completeness.queries(job.wildcards), record)

    def encode_corpus(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        features(path, NAMES, record)

    def train_fusion(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        write_weights(path, {"gate": torch.ones(3) * int(job.wildcards.seed)}, record)
        write_history(Path(job.outputs[1]), [{"epoch": 1, "loss": 1.0, "chosen": True}], record)

    def rank_candidates(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        self.ranks(job, path, record, job.wildcards.system)

    def rank_together(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        self.ranks(job, path, record, "text" if job.wildcards.system == "text" else "dar")

    def rank_oracle(self, job: Job, path: Path, record: dict[str, Any]) -> None:
        self.ranks(job, path, record, "text")

    def ranks(self, job: Job, path: Path, record: dict[str, Any], system: str) -> None:
        frame = ranks_frame(system, [*NAMES, *(f"other-{n}.png" for n in range(40))])
        numbers = frame["dialogue_id"].str.removeprefix("dialogue-").astype(int)
        kept = frame.assign(dialogue_id=[f"d{n}" for n in numbers])[(numbers < 5) & (frame["round"] < 2)]
        write_ranks(path, kept, record)


def features(path: Path, keys: list[str], record: dict[str, Any]) -> None:
    """Write unit vectors that hang on the path and the key."""
    seeds = [int(digest_text(str(path.name), key), 16) for key in keys]
    rows = np.array([np.random.default_rng(seed).normal(size=4) for seed in seeds])
    write_features(path, keys, rows / np.linalg.norm(rows, axis=1, keepdims=True), record)
