"""Times: seconds and products of the stages, and the machines that their logs tell of."""

import os

import pytest

from daitir import machine
from daitir.errors import DaitirError
from daitir.layout import Layout
from daitir.machine import SAID, TELL, describe_machine, machine_told
from daitir.report.times import times
from daitir.tables import count_rows
from tests.synthetic import SET, make_results


def write_jobs(folder, seconds, told=None):
    """Write Snakemake's benchmark files of some jobs, and the logs of those that told their machine."""
    layout = Layout(str(folder / "results"))
    for name, spent in seconds.items():
        file = folder / "results" / "benchmarks" / f"{name}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"s\th:m:s\n{spent}\t0:00:00\n")
    for name, text in (told or {}).items():
        log = folder / "results" / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
    return layout, [folder / "results" / "benchmarks"]


def test_seconds_and_products_are_summed_by_stage(tmp_path):
    """Two shards of images, with 36 pictures each; features of texts; a stage without products."""
    make_results(tmp_path)
    shards = {f"images/sd3/llm/{SET}/shard-{shard}-of-2": 18.0 for shard in (0, 1)}
    others = {f"features/blip/queries/llm/{SET}": 0.5, "measure": 2}
    layout, benchmarks = write_jobs(tmp_path, shards | others)
    found = {one.stage: (one.jobs, one.seconds, one.made, one.rate) for one in times(layout, benchmarks)}
    assert found == {
        "features of queries": (1, 0.5, 1, 2.0),
        "images": (2, 36.0, 72, 2.0),
        "measure": (1, 2.0, None, None),
    }


def test_product_that_is_gone_is_not_counted(tmp_path):
    """Its seconds were spent all the same."""
    layout, benchmarks = write_jobs(tmp_path, {"images/sd3/llm/few/shard-0-of-1": 3})
    (found,) = times(layout, benchmarks)
    assert (found.seconds, found.made, found.rate) == (3.0, None, None)


def test_ranks_of_systems_that_were_ranked_together_are_all_counted(tmp_path):
    """The job's file bears the name of the first; what one system ranked alone counts once."""
    make_results(tmp_path)
    layout, benchmarks = write_jobs(tmp_path, {f"ranks/text/{SET}": 2, f"ranks/adafuse/{SET}": 1})
    (alone,) = times(layout, benchmarks)
    (together,) = times(layout, benchmarks, [("text", "dar")])
    rows = count_rows(tmp_path / "results" / "ranks" / "dar" / f"{SET}.parquet")
    assert (together.jobs, together.seconds, together.made) == (2, 3.0, alone.made + rows)


def test_machines_of_a_stage_are_told_once(tmp_path):
    """Jobs on two machines; a log of a job run by hand tells none."""
    names = {
        f"ranks/{system}/few": f"{SAID}{told}\nmore\n" for system, told in zip("abc", "xyx", strict=True)
    }
    told = names | {"ranks/d/few": "by hand\n"}
    layout, benchmarks = write_jobs(tmp_path, dict.fromkeys([*told, "ranks/e/few"], 1), told)
    (found,) = times(layout, benchmarks)
    assert found.machines == ("x", "y")


def test_damaged_benchmark_file_is_named(tmp_path):
    """It is no reason for a traceback."""
    layout, benchmarks = write_jobs(tmp_path, {"measure": "soon"})
    with pytest.raises(DaitirError, match=r"measure.tsv is no benchmark file"):
        times(layout, benchmarks)


def test_machine_is_told_when_the_workflow_asks(tmp_path, capsys, monkeypatch):
    """As one line that the report finds again; a stage run by hand says nothing of it."""
    machine.tell_machine()
    assert capsys.readouterr().err == ""
    monkeypatch.setenv(TELL, "1")
    machine.tell_machine()
    log = tmp_path / "job.log"
    log.write_text(capsys.readouterr().err + "images: 100%\n")
    assert machine_told(log) == describe_machine()


def test_machine_names_its_gpus(tmp_path, monkeypatch):
    """Equal ones are counted; those hidden from the process are not."""
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "information").write_text("Model: \t\t NVIDIA H200\nIRQ: 7\n")
    monkeypatch.setattr(machine, "GPUS", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert describe_machine().endswith("GiB, 3 x NVIDIA H200")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert describe_machine().endswith("GiB, NVIDIA H200")
    assert f"{len(os.sched_getaffinity(0))} cores" in describe_machine()
