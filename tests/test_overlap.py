"""What is stored while the next batch is computed."""

import threading

import pytest

from daitir.overlap import Beside


def test_a_piece_is_done_while_its_caller_goes_on():
    """And the end waits for it."""
    allowed, done = threading.Event(), []

    def work():
        assert allowed.wait(10)
        done.append(1)

    with Beside(apart=True) as beside:
        beside.do(work)
        assert done == []
        allowed.set()
    assert done == [1]


def test_pieces_keep_their_order_and_never_more_than_one_waits():
    """The next one is taken when the one before is done."""
    done = []
    with Beside(apart=True) as beside:
        for number in range(20):
            beside.do(lambda number=number: done.append(number))
            assert len(done) >= number
    assert done == list(range(20))


def test_without_an_accelerator_it_is_done_at_once():
    """By the caller itself."""
    done = []
    with Beside(apart=False) as beside:
        beside.do(lambda: done.append(threading.current_thread()))
        assert done == [threading.current_thread()]


def fail():
    raise OSError("no space")


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("more", [0, 1, 2])
def test_a_piece_that_fails_stops_its_caller(apart, more):
    """At the next piece, or at the end."""
    done = []
    with pytest.raises(OSError, match="no space"), Beside(apart) as beside:  # noqa: PT012
        beside.do(fail)
        for _ in range(more):
            beside.do(lambda: done.append(1))
    assert done == []


def test_what_failed_first_is_said():
    """A failure of the caller is not hidden by one of the piece that runs meanwhile, which ends first."""
    ended = []
    with pytest.raises(ValueError, match="drawing"), Beside(apart=True) as beside:  # noqa: PT012
        beside.do(lambda: ended.append(1))
        raise ValueError("drawing")
    assert ended == [1]
