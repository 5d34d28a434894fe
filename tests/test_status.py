"""The status says what is done, running, stopped and left, and how long the rest takes."""

import fcntl
import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
import yaml

from daitir.planning.inventory import Inventory
from daitir.status.__main__ import main
from daitir.status.page import bar, duration, page
from daitir.status.remaining import Guesses, to_go
from daitir.status.standing import Standing, begun_outputs, is_held, last_progress, standings
from tests.checked_results import checked_config, plan_of, with_sums

SHARDS = [f"images/sd3/llm/val/shard-{shard}-of-2" for shard in (0, 1)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder with a config and no results, and the plan of it."""
    monkeypatch.chdir(tmp_path)
    return plan_of(checked_config(tmp_path))


def jobs(plan):
    return {job.name: job for job in Inventory(plan).jobs()}


def finish(plan, job, seconds=None):
    """Write the outputs of a job, and the benchmark that Snakemake writes."""
    for output in job.outputs:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text("done")
    if seconds is not None:
        write(plan.layout.benchmark(*job.parts), f"s\th:m:s\tmax_rss\n{seconds}\t0:00:00\t-\n")


def write(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def begin(job):
    """Note a job as Snakemake does when it begins one."""
    write(Path(".snakemake/incomplete", urlsafe_b64encode(job.outputs[0].encode()).decode()), "{}")


def states(plan):
    found = standings(plan.layout, list(Inventory(plan).jobs()))
    return {one.job.name: one for one in found}


def test_what_is_there_is_done_and_all_else_is_left(run):
    """A job with all of its outputs is done, one with some is not."""
    named = jobs(run)
    finish(run, named["dialogues/val"], seconds=12.5)
    half = named["fusions/adafuse/blip/sd3/llm/seed-0"]
    write(half.outputs[0], "weights")
    found = states(run)
    assert (found["dialogues/val"].state, found["dialogues/val"].seconds) == ("done", 12.5)
    assert found[half.name].state == "left"
    assert {one.state for one in found.values()} == {"done", "left"}


@pytest.mark.parametrize(("age", "state"), [(5, "running"), (3600, "stopped")])
def test_a_begun_job_runs_while_its_log_speaks(run, age, state):
    """And says how many of its samples are finished."""
    job = jobs(run)[SHARDS[0]]
    begin(job)
    log = run.layout.log(*job.parts)
    write(log, "images:  20%|##  | 2/10 [00:01<00:04]\nimages:  70%|####### | 7/10 [00:04<00:02]\n")
    os.utime(log, (time.time() - age,) * 2)
    one = states(run)[SHARDS[0]]
    assert (one.state, one.done, one.total, one.share) == (state, 7, 10, 0.7)


def test_a_lock_that_is_held_means_running(run, tmp_path):
    """Even where the log is old; one that a killed process left means stopped."""
    job = jobs(run)[SHARDS[1]]
    lock = Path(run.layout.scratch(*job.parts), ".lock")
    write(lock, "process 7 on node-3 (SLURM job 42)")
    assert states(run)[job.name].state == "stopped"
    with lock.open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert is_held(lock)
        one = states(run)[job.name]
    assert (one.state, one.holder) == ("running", "process 7 on node-3 (SLURM job 42)")
    assert not is_held(tmp_path / "none")


def test_notes_of_long_paths_are_read(tmp_path):
    """Snakemake breaks a long name into folders."""
    path = f"results/images/{'x' * 300}/shard-0-of-2.tar"
    text = urlsafe_b64encode(path.encode()).decode()
    write(tmp_path / f"@{text[:200]}" / text[200:], "{}")
    write(tmp_path / "no note!", "{}")
    assert begun_outputs(tmp_path) == {path}
    assert begun_outputs(tmp_path / "none") == set()


def test_the_rest_takes_as_long_as_what_is_done(run):
    """By jobs of the same component, less what a begun one has finished."""
    named = jobs(run)
    finish(run, named[SHARDS[0]], seconds=100.0)
    begin(named[SHARDS[1]])
    write(run.layout.log(*named[SHARDS[1]].parts), "images: | 6/10 [00:01<00:04]\n")
    found = list(states(run).values())
    own = [one for one in found if one.job.name in SHARDS]
    assert to_go(own, Guesses(run.config, found).of) == (pytest.approx(40.0), 0, 0)


def test_systems_that_are_ranked_together_are_told_by_one_job(tmp_path, monkeypatch):
    """Its log and its benchmark bear the name of the first: seconds are shared, and what runs is seen."""
    monkeypatch.chdir(tmp_path)
    plan = plan_of(with_sums(checked_config(tmp_path)))
    ranked = {name: job for name, job in jobs(plan).items() if job.rule == "rank_together"}
    assert {job.wildcards.system for job in ranked.values()} == {"text", "dar", "add", "image"}
    first = next(iter(ranked.values())).told
    for job in ranked.values():
        begin(job)
    write(plan.layout.log(*first), "ranks: | 1/4 [00:01<00:04]\n")
    write(plan.layout.benchmark(*first), "s\th:m:s\tmax_rss\n100.0\t0:00:00\t-\n")
    found = [one for one in states(plan).values() if one.job.name in ranked]
    assert {(one.state, one.done, one.total, one.seconds) for one in found} == {("running", 1, 4, 25.0)}


def test_without_a_finished_job_the_rates_of_the_config_count(run):
    """Ten images a shard of val at two a second; nobody knows how long a ranking takes."""
    told = [{"img": f"{number}.png", "dialog": ["a caption", "is it? no"]} for number in range(5)]
    write("few.json", json.dumps(told))
    found = list(states(run).values())
    guesses = Guesses(run.config, found)
    drawn = [one for one in found if one.job.rule == "generate_images"]
    seconds, rated, unknown = to_go(drawn, guesses.of)
    assert (seconds, rated, unknown) == (pytest.approx((20 + 10) / 2.0), 3, 0)
    ranked = [one for one in found if one.job.rule == "rank_candidates"]
    assert to_go(ranked, guesses.of) == (0.0, 0, 3)


def test_page_has_a_line_a_rule(run):
    """With a bar, what runs, and what to call for more."""
    named = jobs(run)
    finish(run, named["dialogues/val"], seconds=60.0)
    begin(named[SHARDS[0]])
    write(run.layout.log(*named[SHARDS[0]].parts), "images: | 6/10 [00:01<00:04]\n")
    text = page(run.config, list(states(run).values()), "--configfile c.yaml")
    assert "import_dialogues       [##########..........]   1 of 2" in text
    assert f"  {SHARDS[0]}: running, 6 of 10, last word 0 s ago" in text
    assert "snakemake --dry-run --configfile c.yaml" in text


def test_bar_is_full_only_at_the_end(run):
    """A job that is nearly done is not done."""
    job = jobs(run)[SHARDS[0]]
    assert bar([Standing(job, "running", 999, 1000)]) == "[###################.]"
    assert bar([Standing(job, "done")]) == f"[{'#' * 20}]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (3 * 3600 + 125, "3 h 02 min"), (50 * 3600, "2 d 02 h")],
)
def test_durations(seconds, text):
    """Two units are enough."""
    assert duration(seconds) == text


def test_progress_of_no_log(tmp_path):
    """Nobody knows."""
    assert last_progress(tmp_path / "none.log") == (0, 0)


def test_command_line_loads_no_model_library(tmp_path):
    """A glance must be cheap."""
    code = "import sys, daitir.status.__main__ as s; s.main(sys.argv[1:]); assert 'torch' not in sys.modules"
    config = Path(__file__).parents[1] / "config" / "paper-dar.yaml"
    command = [sys.executable, "-c", code, "--configfile", str(config), "--results", str(tmp_path / "r")]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "jobs to go" in done.stdout


def test_everything_done_points_to_verify(run, capsys, tmp_path):
    """Nothing is left to say but how to check it."""
    for job in Inventory(run).jobs():
        finish(run, job)
    write("c.yaml", yaml.safe_dump(checked_config(tmp_path)))
    main(["--configfile", "c.yaml"])
    assert "`python -m daitir.verify` reads every file" in capsys.readouterr().out
