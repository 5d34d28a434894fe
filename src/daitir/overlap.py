"""Work beside an accelerator: while it computes a batch, the processor stores the one before."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self


class Beside:
    """Does pieces of work one after the other, each while its caller goes on; its end waits for the last.

    Not ``apart``, as where caller and work share the processor, every piece is done at once. A piece that
    fails fails the next call.
    """

    def __init__(self, apart: bool) -> None:
        self._pool = ThreadPoolExecutor(1) if apart else None
        self._last: Future[None] | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Wait for the piece before and start this one: never more than one is unfinished."""
        if self._pool is None:
            work()
            return
        self._wait()
        self._last = self._pool.submit(work)

    def _wait(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        if error is None:  # which is the first that went wrong
            self._wait()
