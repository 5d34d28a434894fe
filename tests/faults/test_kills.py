"""Every stage killed at the steps of its writing."""

from random import Random

import pytest

from tests.faults.jobs import differences, foreign, left_over, linked_copy, torn
from tests.faults.ledger import STAGES, killed_writing, record

KILLED = -9
DEATHS = 5


def deaths_of(kind, steps):
    """Return at which steps a stage dies, in their order: a step of each sort, then any."""
    numbers = list(range(1, len(steps) + 1))
    Random(f"deaths of {kind}").shuffle(numbers)
    sorts = {steps[number - 1].what: number for number in numbers}
    return sorted(list(dict.fromkeys([*sorts.values(), *numbers]))[:DEATHS])


def kill_at_steps(job, whole, folder):
    """Let each attempt die further on, then let one live; return how many died and what was wrong."""
    linked_copy(whole.folder, folder)
    kills, wrong = 0, []
    for last in deaths_of(job.kind, whole.jobs[job].steps):
        ended = job.run(folder, last=last)
        assert ended.status in {0, KILLED}, ended.said
        kills += ended.status == KILLED
        found = foreign(folder, whole.folder) + torn(job, folder, whole.folder)
        wrong += [f"after step {last}: {name}" for name in found]
    job.finish(folder)
    return kills, wrong + differences(folder, whole.folder) + left_over(folder)


@pytest.fixture(scope="module")
def at_steps(whole, root, each_kind):
    """Kill a job of each kind at some of its steps, each in a folder of its own."""
    return each_kind(lambda job: kill_at_steps(job, whole, root / f"steps-{job.kind}"))


@pytest.mark.parametrize("kind", STAGES)
def test_a_stage_killed_while_it_writes_goes_on(at_steps, kind):
    """At every sort of step: nothing unfinished bears the name of an output; the end is byte-identical."""
    kills, wrong = at_steps[kind].result()
    assert wrong == []
    record(killed_writing(kind), kills)


def test_every_stage_is_known(at_steps):
    """A new stage is killed too, and has a row."""
    assert sorted(at_steps) == sorted(STAGES)
