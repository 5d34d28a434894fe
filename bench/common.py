"""What all measurements share: seconds of a piece of work, and rows of the table in docs/performance.md."""

import argparse
import ctypes
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daitir.dialogues import Dialogue

ROOT, WORLD = Path(__file__).resolve().parent.parent, Path("resources/mini")


@dataclass(frozen=True)
class Row:
    """One comparison: what was timed against what, their ratio, and what it has to be.

    ``bound`` is such as "at most 1.1", or nothing; ``figures`` are the seconds or bytes behind the ratio.
    """

    what: str
    against: str
    ratio: float
    bound: str
    figures: str

    @property
    def holds(self) -> bool:
        """Whether the ratio is what it has to be."""
        kind, _, number = self.bound.rpartition(" ")
        if not kind:
            return True
        return self.ratio <= float(number) if kind == "at most" else self.ratio >= float(number)

    def __str__(self) -> str:
        """Return one line."""
        met = f"{self.bound}: {'met' if self.holds else 'NOT met'}; " if self.bound else ""
        return f"{self.what} against {self.against}: {self.ratio:.2f} ({met}{self.figures})"


def seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Return the wall seconds of the fastest of some calls."""
    return min(_once(work) for _ in range(repeats))


def finished(work: Callable[[], Any], device: str) -> Callable[[], None]:
    """Return work that ends when the device has done all that was asked of it."""

    def call() -> None:
        work()
        if device == "cuda":
            import torch

            torch.cuda.synchronize()

    return call


def in_turn(
    *works: Callable[[], Any],
    repeats: int = 5,
    before: Callable[[], Any] = lambda: None,
    of_calls: Callable[[list[float]], Any] = min,
) -> list[Any]:
    """Return the wall seconds of each piece of work, the fastest of some calls, or what ``of_calls`` says.

    The pieces are called in turn, so that a machine that slows down slows all of them; what is done
    ``before`` each does not count.
    """
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, times in zip(works, spent, strict=True):
            before()
            times.append(_once(work))
    return [of_calls(times) for times in spent]


def let_go_of_memory() -> None:
    """Give what is free back to the system, as far as it can be told to: work then begins as in a new job."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def component_of(config: Path, part: str, name: str) -> dict[str, Any]:
    """Return a component of a config as it is written there."""
    import yaml

    described: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))[part][name]
    return described


def make_world() -> None:
    """Make mini's pictures and dialogues below the present folder, if they are not there."""
    if not (WORLD / "corpus.json").exists():
        call = [sys.executable, "-m", "daitir.mini.make", "--output", str(WORLD)]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)


def make_dialogues(count: int) -> "list[Dialogue]":
    """Return some of mini's dialogues."""
    from daitir.dialogues import Dialogue

    make_world()
    told = json.loads((WORLD / "val.json").read_text(encoding="utf-8"))[:count]
    return [
        Dialogue(f"{place:05d}", one["img"], tuple(one["dialog"]), place) for place, one in enumerate(told)
    ]


def peak_gigabytes() -> float:
    """Return the most memory that this process has used so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Return the parser of a measurement; ``--json`` is for `bench.page`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print rows as JSON, for bench.page")
    return parser


def tell(rows: Iterable[Row], as_json: bool) -> None:
    """Print rows, each as soon as it is known."""
    for row in rows:
        print(json.dumps(asdict(row)) if as_json else row, flush=True)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the slope of log cost over log size, by least squares."""
    import numpy as np

    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _once(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
