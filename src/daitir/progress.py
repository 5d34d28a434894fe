"""Progress as whole lines with a rate, readable in a terminal, a log file and a cluster job alike."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Counts finished units and now and then prints one line: a bar, how many, how fast, how long still."""

    def __init__(self, what: str, total: int, unit: str, done: int = 0) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = self.found = done
        self.begin = self.printed = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Note ``count`` more finished units."""
        self.done += count
        if time.monotonic() - self.printed >= SECONDS_BETWEEN_LINES:
            self._print()

    def close(self) -> None:
        """Print the last line, with the rate over the whole time."""
        self._print()

    def _print(self) -> None:
        from tqdm import tqdm

        self.printed = time.monotonic()
        line = tqdm.format_meter(
            n=self.done,
            total=self.total or None,
            elapsed=self.printed - self.begin,
            initial=self.found,
            prefix=self.what,
            unit=f" {self.unit}",
            ascii=True,
            ncols=100,
        )
        print(line, file=sys.stderr, flush=True)


def progress(items: Iterable[Item], what: str, total: int, unit: str) -> Iterator[Item]:
    """Yield ``items`` one by one and report how many are done."""
    report = Progress(what, total, unit)
    for item in items:
        yield item
        report.advance()
    report.close()
