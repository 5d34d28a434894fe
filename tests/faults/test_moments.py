"""The long stages killed at random moments: what they had finished is kept, and little is done again."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import NamedTuple

import pytest

from tests.faults.jobs import RESULTS, differences, foreign, left_over, linked_copy
from tests.faults.ledger import LONG, killed_any_time, record
from tests.faults.steps import AFTER, BEGUN

KILLED = -9
KILLS = 3
WORK = {  # what is called for each batch or epoch
    "reformulate": ("daitir.chat.transformers:TransformersChat._write",),
    "generate": ("daitir.generators.diffusers:DiffusersGenerator._draw",),
    "simulate": tuple(f"daitir.mini.answers:WorldAnswerer.{name}" for name in ("caption", "answer")),
    "train": ("daitir.fusions.training.trainer:Trainer._train_epoch",),
    "tune": ("daitir.tuning.trainer:Tuner._train_epoch",),
}
KEPT = {"simulate": "/seen/answers", "train": "/checkpoint.pt", "tune": "/checkpoint.pt"}


class Tried(NamedTuple):
    """An attempt: whether it came to its end, how long it took, how much work it began and kept."""

    ended: bool
    seconds: float
    begun: int
    kept: int


class Worker:
    """A long job in a folder of its own."""

    def __init__(self, job, whole, folder):
        self.job, self.whole, self.folder = job, whole, linked_copy(whole.folder, folder)

    def attempt(self, seconds=None):
        """Work, for so many seconds; nothing but what is whole bears its name, and nothing kept is lost."""
        before = self.finished()
        ended = self.job.run(self.folder, work=WORK[self.job.kind], seconds=seconds)
        assert ended.status in {0, KILLED}, ended.said
        assert foreign(self.folder, self.whole.folder) == []
        stands = all((self.folder / output).exists() for output in self.job.outputs)
        assert stands or ended.status == KILLED, ended.said
        assert stands or before <= self.finished()
        mark = KEPT.get(self.job.kind, "")
        kept = [
            one for one in ended.steps if one.what == AFTER and "/scratch/" in one.path and mark in one.path
        ]
        begun = sum(one.what == BEGUN for one in ended.steps)
        return Tried(stands, ended.seconds, begun, len(kept))

    def finished(self):
        """Return what the scratch folder holds."""
        return {name for name in left_over(self.folder) if not name.endswith((".partial", ".lock"))}

    def tidy(self):
        """Remove what is left of a job that was killed when its outputs stood already."""
        shutil.rmtree(self.folder / RESULTS / "scratch", ignore_errors=True)


def kill(worker):
    """Kill a job until it has been killed often enough; return how much was done again at each kill."""
    whole, again = worker.attempt(), []
    assert whole.begun == whole.kept > 1
    random, kept, over = Random(f"moments of {worker.job.kind}"), 0, False
    while not over:
        enough = len(again) >= KILLS
        tried = worker.attempt(None if enough else random.uniform(0.3, 1) * whole.seconds)
        kept += tried.kept
        if tried.ended:
            assert (kept, tried.begun) == (whole.kept, tried.kept)
            kept, over = 0, enough
            if not over:
                worker.tidy()
        else:
            again.append(tried.begun - tried.kept)
    assert differences(worker.folder, worker.whole.folder) + left_over(worker.folder) == []
    return again


@pytest.fixture(scope="module")
def done_again(whole, root):
    """Kill the long jobs at random moments, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        workers = {kind: Worker(whole.longest[kind], whole, root / f"moments-{kind}") for kind in LONG}
        ended = {kind: pool.submit(kill, worker) for kind, worker in workers.items()}
    return {kind: one.result() for kind, one in ended.items()}


@pytest.mark.parametrize("kind", LONG)
def test_a_killed_stage_does_one_batch_again_at_most(done_again, kind):
    """A batch, or an epoch, that was not finished; the end is byte-identical."""
    assert max(done_again[kind]) <= 1
    record(killed_any_time(kind), len(done_again[kind]))
