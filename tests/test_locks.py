"""Two processes that do the same come one after the other, whatever becomes of the first."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daitir.errors import DaitirError, DoneMeanwhileError, exit_with_one_line
from daitir.files import atomic
from daitir.locks import locked
from daitir.scratch import scratch_for

FIRST = """
import sys, time
from pathlib import Path
from daitir.scratch import scratch_for
with scratch_for(Path(sys.argv[1]), {"steps": 1}) as mine:
    (mine / "batch").write_text("drawn")
    while not Path(sys.argv[2]).exists():
        time.sleep(0.01)
    if Path(sys.argv[2]).read_text() == "fail":
        sys.exit(1)
"""


@pytest.fixture
def first(tmp_path):
    """Start a process that works in a scratch folder; return what tells it how to end."""
    started = [sys.executable, "-c", FIRST, str(tmp_path / "scratch"), str(tmp_path / "end")]
    process = subprocess.Popen(started, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob("scratch/*/batch")):
        assert process.poll() is None
        time.sleep(0.01)

    def tell(how: str) -> None:
        if how == "kill":
            os.kill(process.pid, signal.SIGKILL)
        (tmp_path / "told").write_text(how)
        (tmp_path / "told").rename(tmp_path / "end")

    yield tell
    process.wait(10)


def after(seconds, action):
    """Do something while this process waits."""
    if os.fork() == 0:
        time.sleep(seconds)
        action()
        os._exit(0)


def test_who_waited_for_the_same_work_has_nothing_left_to_do(first, tmp_path, capsys):
    """The first came to its end: its output stands, and the program ends well."""
    after(0.2, lambda: first("end"))
    with pytest.raises(DoneMeanwhileError), scratch_for(tmp_path / "scratch", {"steps": 1}):
        pass
    assert "waiting for process" in capsys.readouterr().err
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("end", ["fail", "kill"])
def test_who_waited_for_one_that_failed_goes_on_from_what_it_left(first, tmp_path, end):
    """Killed or failed, the finished batches of the first are found."""
    after(0.2, lambda: first(end))
    with scratch_for(tmp_path / "scratch", {"steps": 1}) as mine:
        assert (mine / "batch").read_text() == "drawn"


def test_who_waited_for_other_work_does_its_own(first, tmp_path):
    """With other options nothing of the first is taken."""
    after(0.2, lambda: first("end"))
    with scratch_for(tmp_path / "scratch", {"steps": 2}) as mine:
        assert not list(mine.iterdir())


def test_what_is_done_meanwhile_is_no_failure(capsys):
    """The program says so and ends with success: the workflow goes on."""

    def program():
        raise DoneMeanwhileError("its output stands")

    exit_with_one_line(program)
    assert capsys.readouterr().err == "note: its output stands\n"


def test_two_writers_of_one_file_leave_one_of_the_two(tmp_path):
    """They write one after the other, so that no byte of one lies among those of the other."""
    path, line = tmp_path / "file", "import sys; from daitir.files import atomic; from pathlib import Path\n"
    line += f"for _ in range(20):\n with atomic(Path({str(path)!r})) as partial:\n"
    line += "  with partial.open('w') as stream:\n   for _ in range(50): stream.write(sys.argv[1] * 1000)\n"
    both = [subprocess.Popen([sys.executable, "-c", line, letter]) for letter in "ab"]
    assert [process.wait() for process in both] == [0, 0]
    assert path.read_text() in {"a" * 50_000, "b" * 50_000}
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_lock_is_free_after_use(tmp_path):
    """A folder can be locked again after the first has left, and an empty one is gone."""
    for _ in range(2):
        with locked(tmp_path / "scratch"):
            pass
    assert not (tmp_path / "scratch").exists()


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
    """One line says what to do."""

    def flock(stream, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(DaitirError, match="knows no locks"), atomic(Path(tmp_path / "file")):
        pass
