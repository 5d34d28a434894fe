"""Rows that processes prepare ahead: in order, whole, and with errors as they are."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from daitir import ahead
from daitir.errors import DaitirError

# More processes than the machine has cores are asked for on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")

CALLER = os.getpid()


@dataclass(frozen=True)
class Numbers:
    """A row of a number's own, and its square as the note; at some numbers something else happens."""

    fails: int | None = None
    broken: int | None = None
    dies: int | None = None
    wide: int | None = None

    def __call__(self, numbers):
        return [(self.row(number), number**2) for number in numbers]

    def row(self, number):
        if number == self.fails:
            raise DaitirError(f"number {number} is bad: mend it")
        if number == self.broken:
            raise FileNotFoundError(2, "No such file", f"{number}.png")
        if number == self.dies and os.getpid() != CALLER:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((2, 3 + (number == self.wide)), number, np.float32)


@pytest.fixture(autouse=True)
def many_cores(monkeypatch):
    """As many processes as are asked for, wherever the test runs, and chunks of 16 items."""
    monkeypatch.setattr(ahead, "count_cores", lambda: 4)
    monkeypatch.setattr(ahead, "MOST", 16)


def taken(count, workers, held, prepare=None):
    """Return rows and notes as somebody gets them who keeps ``held`` rows before they are looked at."""
    kept, seen = [], []
    for row, note in ahead.rows_ahead(prepare or Numbers(), range(count), workers, held):
        kept.append((row, note))
        if len(kept) == held:
            time.sleep(0.005 if count == 200 else 0)  # so that others could write where they must not
            seen += [(row.copy(), note) for row, note in kept]
            kept = []
    return seen + [(row.copy(), note) for row, note in kept]


@pytest.mark.parametrize("count", [0, 1, 8, 9, 16, 17, 33, 200])
@pytest.mark.parametrize("held", [1, 15, 16, 40])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_row_comes_once_and_in_order(count, held, workers):
    """And is still there when as many as may be kept have been taken."""
    found = taken(count, workers, held)
    assert [note for _, note in found] == [number**2 for number in range(count)]
    for number, (row, _) in enumerate(found):
        assert row.dtype == np.float32
        assert row.tolist() == [[number] * 3] * 2


def test_rows_are_prepared_by_other_processes():
    """All but the first, for which nobody waits until the others have started."""

    def who(numbers):
        return [(np.zeros(1, np.float32), os.getpid()) for _ in numbers]

    makers = [note for _, note in ahead.rows_ahead(who, range(100), 2, 8)]
    assert set(makers[:16]) == {os.getpid()}
    assert os.getpid() not in makers[16:]
    assert len(set(makers[16:])) == 2


def test_large_rows_come_in_small_chunks(monkeypatch):
    """Each process has work early, and the memory that is shared stays small."""
    monkeypatch.setattr(ahead, "AT_ONCE", 10 * 4 * 100)
    sizes = []

    def note(numbers):
        sizes.append(len(numbers))
        return [(np.zeros(100, np.float32), len(numbers)) for _ in numbers]

    assert {made for _, made in ahead.rows_ahead(note, range(100), 2, 8)} == {8, 2, 10}
    assert sizes == [8, 2]  # here; all others in tens


def test_one_core_is_left_to_the_caller(monkeypatch):
    """More processes would only stand in each other's way."""
    monkeypatch.setattr(ahead, "count_cores", lambda: 3)

    def who(numbers):
        return [(np.zeros(1, np.float32), os.getpid()) for _ in numbers]

    assert len({note for _, note in ahead.rows_ahead(who, range(200), 8, 8)}) == 3  # with this one


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("place", [0, 7, 8, 16, 17, 60])
def test_an_error_comes_at_its_place_and_as_it_is(workers, place):
    """What a user can mend keeps its kind; rows of the chunks before have come."""
    rows = ahead.rows_ahead(Numbers(fails=place), range(64), workers, 4)
    found = []
    with pytest.raises(DaitirError, match=f"^number {place} is bad: mend it$"):
        found.extend(note for _, note in rows)
    assert len(found) <= place
    assert len(found) > place - ahead.MOST
    with pytest.raises(FileNotFoundError) as caught:
        taken(64, workers, 4, Numbers(broken=place))
    assert caught.value.filename == f"{place}.png"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("place", [3, 40])
def test_rows_of_another_shape_are_refused_by_their_item(workers, place):
    """They cannot be computed together."""
    with pytest.raises(DaitirError, match=rf"^{place} becomes 2 x 4 numbers for the model, others 2 x 3: "):
        taken(64, workers, 4, Numbers(wide=place))


def test_the_death_of_a_process_is_one_line():
    """As when the system ends one for want of memory."""
    how = "(is killed by signal: Killed|exited unexpectedly)"
    said = rf"^a process that prepares images {how}: if memory was short, ask for more or lower `workers`$"
    with pytest.raises(DaitirError, match=said), ahead.deaths_named():
        taken(64, 2, 4, Numbers(dies=40))


def test_other_errors_are_not_taken_for_a_death():
    """A bug keeps its words."""
    with pytest.raises(RuntimeError, match="a bug"), ahead.deaths_named():
        raise RuntimeError("a bug")


def test_who_stops_early_leaves_no_process_behind():
    """Neither at a row nor at an error."""
    before = set(multiprocessing.active_children())
    rows = ahead.rows_ahead(Numbers(), range(1000), 2, 4)
    for _ in range(3):
        next(rows)
    assert len(set(multiprocessing.active_children()) - before) == 2
    rows.close()
    with pytest.raises(DaitirError):
        taken(64, 2, 4, Numbers(fails=20))
    gc.collect()  # the error has held the rows
    assert set(multiprocessing.active_children()) <= before


def test_where_nothing_can_be_forked_rows_are_the_same(monkeypatch):
    """Processes are started anew then, and have what prepares by its bytes."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert [note for _, note in taken(50, 1, 4)] == [number**2 for number in range(50)]


FOREVER = """
import os, sys, time
import numpy as np
from daitir import ahead
ahead.count_cores, ahead.MOST = (lambda: 3), 16
def prepare(numbers):
    return [(np.zeros(1, np.float32), os.getpid()) for _ in numbers]
rows = ahead.rows_ahead(prepare, range(10_000), 2, 4)
print(*sorted({note for _, (_, note) in zip(range(60), rows)} - {os.getpid()}), flush=True)
time.sleep(60)
"""


def is_alive(process):
    """Whether a process runs: one that has ended, and that nobody has asked for, has no command line."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def test_processes_end_with_a_caller_that_is_killed():
    """Within seconds: nobody is left who holds a log open or memory."""
    caller = subprocess.Popen([sys.executable, "-c", FOREVER], stdout=subprocess.PIPE, text=True)
    helpers = caller.stdout.readline().split()
    assert len(helpers) == 2
    caller.kill()
    caller.wait()
    deadline = time.monotonic() + 30
    while any(is_alive(helper) for helper in helpers):
        assert time.monotonic() < deadline, "processes outlive their caller"
        time.sleep(0.2)
