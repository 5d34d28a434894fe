"""What the workflow asks of the config: which files a job gets."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from daitir.config import ConfigError, load_config, require_files
from daitir.planning import Plan

ROOT = Path(__file__).parents[1]
JOB = SimpleNamespace(dialogues="b", reformulator="raw", generator="sd3", encoder="blip", shard="0-of-1")


def plan(evaluate, shards=1, **edits):
    """A plan of two dialogue sets with the same captions; b, of some shards, takes round 0 over from a."""
    values = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    del values["fusions"]
    values["dialogues"] = {
        "a": {"file": "a.json", "corpus": "mini", "shards": 2},
        "b": {"file": "b.json", "corpus": "mini", "shards": shards, "round_0_from": "a"},
    }
    values["reformulators"]["published"] = {"kind": "released", "files": {"a": "a", "b": "b"}, "prompts": 2}
    text = {"encoder": "blip", "queries": "raw", "method": "text"}
    values["systems"] = {"text": text, "dar": text | {"images": "sd3", "method": "dar"}, **edits}
    return Plan(load_config(values | {"evaluate": evaluate}))


def known(made, job=JOB):
    return [
        made.known_queries(job),
        made.known_images(job),
        *made.known_encoded_queries(job).values(),
        *made.known_encoded_images(job).values(),
    ]


def test_round_0_is_taken_from_what_is_made_anyway():
    """Both sets are evaluated: b gets all of a's shards, and their features."""
    folder = "results/smoke"
    assert known(plan(["a", "b"])) == [
        [f"{folder}/queries/raw/a/shard-{shard}.parquet" for shard in ("0-of-2", "1-of-2")],
        [f"{folder}/images/sd3/raw/a/shard-{shard}.tar" for shard in ("0-of-2", "1-of-2")],
        [f"{folder}/queries/raw/a/shard-{shard}.parquet" for shard in ("0-of-2", "1-of-2")],
        [f"{folder}/features/blip/queries/raw/a.h5"],
        [f"{folder}/images/sd3/raw/a/shard-{shard}.tar" for shard in ("0-of-2", "1-of-2")],
        [f"{folder}/features/blip/images/sd3/raw/a/shard-{shard}.h5" for shard in ("0-of-2", "1-of-2")],
    ]


def test_sets_that_are_cut_alike_share_shard_by_shard():
    """A shard of b gets the shard of a that has the same dialogues; the features of texts are one file."""
    folder, job = "results/smoke", SimpleNamespace(**{**vars(JOB), "shard": "1-of-2"})
    assert known(plan(["a", "b"], shards=2), job) == [
        [f"{folder}/queries/raw/a/shard-1-of-2.parquet"],
        [f"{folder}/images/sd3/raw/a/shard-1-of-2.tar"],
        [f"{folder}/queries/raw/a/shard-{shard}.parquet" for shard in ("0-of-2", "1-of-2")],
        [f"{folder}/features/blip/queries/raw/a.h5"],
        [f"{folder}/images/sd3/raw/a/shard-1-of-2.tar"],
        [f"{folder}/features/blip/images/sd3/raw/a/shard-1-of-2.h5"],
    ]


def test_no_set_is_made_for_the_sake_of_its_round_0():
    """Only b is evaluated: nothing of a is asked for but its captions."""
    made = plan(["b"])
    assert not any(known(made))
    assert made.known_dialogues(JOB) == ["results/smoke/dialogues/a.parquet"]


def test_what_one_system_needs_of_a_set_is_not_there_for_another():
    """The fusion is measured on b alone: its texts are a's too, its pictures are not."""
    dar = {"encoder": "blip", "queries": "raw", "images": "sd3", "method": "dar", "dialogues": ["b"]}
    queries, images, *_, shards, features = known(plan(["a", "b"], dar=dar))
    assert len(queries) == 2
    assert not images + shards + features


def test_published_queries_share_nothing():
    """They may differ in round 0."""
    text = {"encoder": "blip", "queries": "published", "method": "text"}
    job = SimpleNamespace(**{**vars(JOB), "reformulator": "published"})
    assert not any(known(plan(["a", "b"], published=text), job))


@pytest.mark.parametrize(
    ("function", "fault"),
    [("nobodys_module:A", "there is no module nobodys_module"), ("broken_module:A", "is not Python")],
)
def test_code_that_cannot_be_read_is_a_fault_of_the_config(function, fault, tmp_path, monkeypatch):
    """An answerer of one's own is looked for before anything runs."""
    (tmp_path / "broken_module.py").write_text("def (")
    monkeypatch.syspath_prepend(tmp_path)
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    values["simulations"]["mini-simulated"]["answerer"]["function"] = function
    with pytest.raises(ConfigError) as refused:
        require_files(load_config(values))
    [line] = refused.value.lines
    assert line.startswith("config: simulations.mini-simulated.answerer.function: ")
    assert fault in line
