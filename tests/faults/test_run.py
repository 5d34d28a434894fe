"""A whole run whose jobs are killed, whose Snakemake is killed, and that is started twice."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
import yaml

from tests.cluster.processes import command_of, descendants, kill, parent_of
from tests.cluster.slurm import wait_until
from tests.faults.jobs import PAGES, differences, foreign, left_over
from tests.faults.ledger import record
from tests.workflow.conftest import ROOT, RunFolder, count_jobs

JOB = "a job of a run killed (`kill -9`)"
TREE = "a job of a run killed with its shell and its log (`kill -9`)"
ALL = "Snakemake and all its jobs killed (`kill -9`)"
JOBS_BETWEEN = 2
BLOWS = [JOB] * 4 + [TREE] * 2 + [ALL] * 2


class Run:
    """A run in a folder; ``hit`` counts which stages were struck, ``blows`` how."""

    def __init__(self, run_folder, config):
        self.run_folder, self.folder = run_folder, run_folder.folder
        (self.folder / "edited.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        self.hit, self.blows, self.random = Counter(), Counter(), Random("run")
        self.start()

    def start(self):
        """Start Snakemake."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
        with (self.folder / "said.log").open("ab") as said:
            self.process = subprocess.Popen(
                [*command, "--retries", "9", "--configfile", "edited.yaml"],
                cwd=self.folder,
                env=os.environ | {"HF_HUB_OFFLINE": "1"},
                stdout=said,
                stderr=said,
            )

    @property
    def is_over(self):
        """Whether Snakemake came to an end."""
        return self.process.poll() is not None

    def done(self):
        """Return how many jobs came to their end, those included that were lost again."""
        return (self.folder / "said.log").read_text().count("Finished jobid")

    def stages(self):
        """Return the processes of this run's stages, by number."""
        return {
            pid: words[2].rpartition(".")[2]
            for pid in descendants(self.process.pid)
            if (words := command_of(pid))[1:2] == ["-m"] and words[2].startswith("daitir.stages.")
        }

    def strike(self, blow):
        """Wait until some jobs are done, and a moment; then kill, of the stages one that was struck least."""
        enough = self.done() + JOBS_BETWEEN
        wait_until(lambda: self.is_over or (self.done() >= enough and self.stages()), "jobs are done", 300)
        time.sleep(self.random.uniform(0, 3))
        there = self.stages()
        if not there:
            return
        pid = min(there, key=lambda one: (self.hit[there[one]], one))
        below = descendants(self.process.pid)
        shell = parent_of(pid)
        struck = {JOB: [pid], TREE: [shell, *descendants(shell)], ALL: [self.process.pid, *below]}[blow]
        kill(signal.SIGKILL, *struck)
        self.hit[there[pid]] += 1
        self.blows[blow] += 1
        if blow == ALL:
            self.process.wait()
            wait_until(lambda: not [one for one in below if command_of(one) != [""]], "all are gone")
            self.run_folder.run("--unlock", "--configfile", "edited.yaml")
            self.start()


@pytest.fixture(scope="module")
def killed(plain, new_folder):
    """A run that was struck until enough was done, and came to its end; and what was wrong on the way."""
    run = Run(new_folder("run"), plain.config)
    second = refused(run)
    blows, wrong = list(BLOWS), []
    Random("blows").shuffle(blows)
    while blows and not run.is_over:
        before = sum(run.blows.values())
        run.strike(blows[-1])
        if sum(run.blows.values()) > before:
            blows.pop()
        wrong += foreign(run.folder, plain.folder, without=PAGES)
    assert run.process.wait(600) == 0, (run.folder / "said.log").read_text()[-5000:]
    return run, second, wrong


def refused(run):
    """Start Snakemake a second time while the first works; return what it says."""
    wait_until(run.stages, "a job runs", seconds=300)
    done = run.run_folder.snakemake("--cores", "1", "--configfile", "edited.yaml")
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_a_run_that_was_killed_ends_with_the_same_bytes(killed, plain):
    """All files are those of jobs run by hand and never disturbed, and none was ever there unfinished."""
    run, _, wrong = killed
    assert wrong == []
    assert differences(run.folder, plain.folder, without=PAGES) == []
    assert left_over(run.folder) == []
    assert (run.folder / "results/smoke/report.html").read_text().rstrip().endswith("</html>")
    assert sum(run.blows.values()) >= 6
    assert len(run.hit) >= 4
    for blow, times in run.blows.items():
        record(blow, times)


def test_a_second_run_in_the_folder_is_refused(killed):
    """It says that another one works there; the first does not mind."""
    assert "Directory cannot be locked" in killed[1]
    assert "Traceback" not in killed[1]
    record("Snakemake started twice in one folder")


def test_a_clock_set_back_is_named_before_any_work(killed, plain, root):
    """What was written is of tomorrow: nothing is to be done; what was lost is made with the clock right."""
    folder = shutil.copytree(killed[0].folder, root / "clock", symlinks=True)
    run_folder = RunFolder(folder)
    written = [*folder.glob("results/**/*"), *folder.glob(".snakemake/**/*")]
    (lost,) = (folder / "results/smoke/images").rglob("shard-0-of-1.tar")

    def set_clock(now):
        for path in filter(Path.exists, written):
            os.utime(path, (now, now), follow_symlinks=False)

    set_clock(time.time() + 86_400)
    asked = ("--cores", "2", "--configfile", "edited.yaml")
    assert count_jobs(run_folder.run("--dry-run", *asked)) == {}
    written.remove(lost)
    lost.unlink()
    done = run_folder.snakemake(str(lost.relative_to(folder)), *asked)
    assert done.returncode != 0
    line = (
        r"^error: results/smoke/\S+ is dated .*, ahead of this machine's clock .* nothing finished is lost$"
    )
    assert re.search(line, done.stdout + done.stderr, re.MULTILINE), done.stdout + done.stderr
    assert foreign(folder, plain.folder, without=PAGES) == []
    set_clock(time.time())
    run_folder.run(str(lost.relative_to(folder)), *asked)
    assert differences(folder, plain.folder, without=PAGES) == []
    record("clock set back by a day")
