"""What SLURM knows of its jobs, and what is done to them: stopped in the middle, killed, pushed aside."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.processes import command_of, environment_of, kill, processes
from tests.cluster.slurm import Slurm, wait_until


@dataclass(frozen=True)
class Job:
    """A job as SLURM shows it; ``rule`` is Snakemake's ``rule_{rule}_wildcards_{wildcards}``."""

    number: str
    rule: str
    state: str
    reason: str
    node: str
    restarts: int
    gpus: int

    @property
    def runs(self) -> bool:
        """Whether it runs now."""
        return self.state == "RUNNING"


def jobs_of(slurm: Slurm, rule: str = "") -> list[Job]:
    """Return the jobs of a rule, or all, in the order they were submitted."""
    found = []
    for line in slurm.ask("scontrol", "--oneliner", "show", "job").splitlines():
        said = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "JobId" in said and rule in {"", said.get("Comment")}:
            gpus = said.get("TresPerJob", "gpu:0").rpartition(":")[2]
            words = (said.get("Comment", ""), said["JobState"], said["Reason"], said.get("NodeList", ""))
            found.append(Job(said["JobId"], *words, int(said["Restarts"]), int(gpus)))
    return sorted(found, key=lambda job: int(job.number))


def stop_in_the_middle(slurm: Slurm, rule: str, stage: str, begun: Callable[[], object]) -> tuple[Job, int]:
    """Stop the stage of a rule's job when it has begun its work; return the job and the stopped process."""
    stopped: list[tuple[Job, int]] = []

    def stop() -> bool:
        for job in jobs_of(slurm, rule):
            pid = stage_of(slurm, job, stage) if job.runs else None
            if pid is not None and begun():
                kill(signal.SIGSTOP, pid)
                stopped.append((job, pid))
        return bool(stopped)

    wait_until(stop, f"{rule} works", seconds=400)
    return stopped[0]


def stage_of(slurm: Slurm, job: Job, stage: str) -> int | None:
    """Return the process of a stage in a job, if it runs."""
    for pid in processes():
        if command_of(pid)[1:3] == ["-m", f"daitir.stages.{stage}"]:
            found = environment_of(pid)
            ours = found.get("SLURM_CONF") == slurm.environment["SLURM_CONF"]
            if ours and found.get("SLURM_JOB_ID") == job.number:
                return pid
    return None


class Watch(threading.Thread):
    """Counts the GPUs in use, and lets requeued jobs start before SLURM's two minutes of pause are over.

    Some of it they need: what the controller still had to say to the dead node would end them there.
    """

    PAUSE = 8.0

    def __init__(self, slurm: Slurm) -> None:
        super().__init__(daemon=True)
        self.slurm = slurm
        self.at_once: list[int] = []
        self.seen: dict[tuple[str, int], float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        """Look twice a second until it is over."""
        while not self.over.wait(0.5):
            jobs = jobs_of(self.slurm)
            self.at_once.append(sum(job.gpus for job in jobs if job.runs))
            for job in jobs:
                if job.state == "PENDING" and job.reason == "BeginTime" and self.has_rested(job):
                    self.slurm.ask("scontrol", "update", f"JobId={job.number}", "StartTime=now")

    def has_rested(self, job: Job) -> bool:
        """Whether some seconds have passed since it was requeued."""
        now = time.monotonic()
        return now - self.seen.setdefault((job.number, job.restarts), now) > self.PAUSE

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()
