"""Batches that fit into memory: where it does not suffice, the batch is halved, and the record says so."""

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from daitir.compute import FEWEST_ROWS_ON_CPU, batches, pad_batch, says_no_memory
from daitir.errors import DaitirError

Item = TypeVar("Item")


class FittingBatches:
    """Computes items in batches of one size, which is halved, for good, when memory does not suffice.

    ``advice`` says what to do where even the smallest batch does not fit. On the CPU the results are the same
    in every batch size; an accelerator may move the last bits with it (see `compute`), so `record` tells.
    """

    def __init__(self, size: int, model: str, device: str, advice: str) -> None:
        self.asked = self.size = size
        self.model, self.device, self.advice = model, device, advice
        self.smallest = min(size, FEWEST_ROWS_ON_CPU if device == "cpu" else 1)
        self.used: Counter[int] = Counter()

    def run(
        self, items: Sequence[Item], compute: Callable[[list[Item]], Any]
    ) -> Iterator[tuple[list[Item], Any]]:
        """Yield the items batch by batch, each with what ``compute`` makes of it.

        ``compute`` is given a batch filled up to the rows that are computed, and returns a list or an array
        with a result a row.
        """
        waiting = list(items)
        while waiting:
            batch = next(batches(waiting, self.size))
            found = self._try(pad_batch(batch, self.size, self.device), compute)
            if found is None:
                self._halve()
                continue
            self.used[self.size] += len(batch)
            yield batch, found[: len(batch)]
            waiting = waiting[len(batch) :]

    def _try(self, rows: list[Item], compute: Callable[[list[Item]], Any]) -> Any:
        """Return the results, or None where a smaller batch may fit; no tensor of it is left then."""
        try:
            return compute(rows)
        except RuntimeError as error:
            if not says_no_memory(error):
                raise
            if self.size <= self.smallest:
                raise DaitirError(
                    f"model {self.model} needs more memory than {self.device} has: {self.advice}"
                ) from error
            return None

    def _halve(self) -> None:
        import torch

        before, self.size = self.size, max(self.size // 2, self.smallest)
        print(
            f"note: {before} rows of model {self.model} do not fit into the memory of {self.device}: going on"
            f" with {self.size}",
            file=sys.stderr,
            flush=True,
        )
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    @property
    def lowered(self) -> int | None:
        """Size of the batches where it is not the one that was asked for."""
        return None if self.size == self.asked else self.size

    @property
    def record(self) -> dict[str, Any]:
        """What a file's provenance says of it: nothing, unless a batch was halved."""
        if self.lowered is None:
            return {}
        used = {str(size): count for size, count in sorted(self.used.items())}
        return {"batches": {"asked": self.asked, "used": used}}
