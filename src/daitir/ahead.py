"""Rows that processes prepare ahead of their caller, who computes on the rows before meanwhile.

A process takes some items at once and writes their rows into memory that it shares with the caller; only what
is noted of an item travels. Threads would hold up the caller, as both want Python's lock.
"""

import math
import multiprocessing
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import numpy as np

from daitir.compute import batches
from daitir.errors import DaitirError
from daitir.machine import count_cores

Item = TypeVar("Item")
Note = TypeVar("Note")
Prepare = Callable[[list[Item]], Sequence[tuple[np.ndarray, Note]]]
FEWEST, MOST, AT_ONCE = 8, 64, 2**21  # items that a process takes at once, and bytes of their rows
DEATH = re.compile(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) ([^.]+)")


def rows_ahead(
    prepare: "Prepare[Item, Note]", items: Sequence[Item], workers: int, held: int
) -> Iterator[tuple[np.ndarray, Note]]:
    """Yield a row (float32, all of one shape) and a note for each item, in order.

    ``prepare`` makes them of some items; processes must be able to have it. They are ahead by ``held`` rows
    and a little more, and a row may be kept until ``held`` more were taken. The first items are prepared in
    this process, while the others start, and so are all without ``workers``.
    """
    first = list(items[:FEWEST])
    rows = prepare(first)
    if not rows:
        return
    shape = rows[0][0].shape
    size = max(FEWEST, min(MOST, AT_ONCE // rows[0][0].nbytes))
    border = size if workers else len(items)
    others: Iterator[tuple[np.ndarray, Note]] = iter(())
    if border < len(items):
        chunks = list(batches(items[border:], size))
        workers = min(workers, max(1, count_cores() - 1))  # one core computes
        others = _by_processes(prepare, chunks, workers, held, shape)
    yield from _checked(first, rows, shape)
    for chunk in batches(items[FEWEST:border], MOST):
        yield from _checked(chunk, prepare(chunk), shape)
    yield from others


@contextmanager
def deaths_named() -> Iterator[None]:
    """Turn the death of a process that prepares rows, of which a signal tells at any time, into one line."""
    try:
        yield
    except RuntimeError as error:
        told = DEATH.match(str(error))
        if told is None:
            raise
        raise DaitirError(
            f"a process that prepares images {told[1]}: if memory was short, ask for more or lower `workers`"
        ) from None


def _by_processes(
    prepare: "Prepare[Item, Note]", chunks: list[list[Item]], workers: int, held: int, shape: tuple[int, ...]
) -> Iterator[tuple[np.ndarray, Note]]:
    """Start processes and return the rows that they make."""
    import torch
    from torch.utils.data import DataLoader

    # Forked processes have all that this one has loaded; where forking is unsafe, they load it anew.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    size = len(chunks[0])
    kept = -(-held // size)
    ahead = 1 + -(-kept // workers)  # chunks that each process may have in work or ready
    work: Any = _Work(prepare, chunks, _Slots(ahead * workers + kept + 2, (size, *shape), context))
    loader: Any = DataLoader(
        work,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=ahead,
        collate_fn=_as_it_is,
        multiprocessing_context=context,
        generator=torch.Generator(),  # it draws a seed for each process: not from the numbers of others
    )
    return _rows_of(iter(loader), work.slots)


def _rows_of(done: Iterator[Any], slots: "_Slots") -> Iterator[tuple[np.ndarray, Any]]:
    for place, found in enumerate(done):
        if isinstance(found, Exception):
            del done  # the processes end at once, not when the garbage is collected:
            try:
                raise found
            finally:
                del found  # an error that holds the frame that holds it would be garbage
        yield from zip(slots.rows(place), found, strict=False)


def _as_it_is(found: Any) -> Any:
    return found


class _Slots:
    """Memory for the rows of some chunks, used round and round by the chunks' numbers."""

    def __init__(self, count: int, shape: tuple[int, ...], context: Any) -> None:
        self.shape = (count, *shape)
        self.memory = context.RawArray("f", math.prod(self.shape))

    def rows(self, place: int) -> np.ndarray:
        """Return where the rows of a chunk lie (rows x the shape of one)."""
        return np.frombuffer(self.memory, np.float32).reshape(self.shape)[place % self.shape[0]]


class _Work(Generic[Item, Note]):
    """What a process does by the number of a chunk."""

    def __init__(self, prepare: "Prepare[Item, Note]", chunks: list[list[Item]], slots: _Slots) -> None:
        self.prepare, self.chunks, self.slots = prepare, chunks, slots

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, place: int) -> list[Note] | Exception:
        """Write the rows of a chunk and return their notes; what a user can mend is handed back as it is."""
        try:
            return [self._store(place, at, *made) for at, made in enumerate(self.prepare(self.chunks[place]))]
        except (DaitirError, OSError) as error:
            return error

    def _store(self, place: int, at: int, row: np.ndarray, note: Note) -> Note:
        slot = self.slots.rows(place)[at]
        _require_shape(row, slot.shape, self.chunks[place][at])
        slot[...] = row
        return note


def _checked(
    items: list[Item], rows: Sequence[tuple[np.ndarray, Note]], shape: tuple[int, ...]
) -> Iterator[tuple[np.ndarray, Note]]:
    for item, (row, note) in zip(items, rows, strict=True):
        _require_shape(row, shape, item)
        yield row, note


def _require_shape(row: np.ndarray, shape: tuple[int, ...], item: Any) -> None:
    if row.shape != shape:
        raise DaitirError(
            f"{item} becomes {_sides(row.shape)} numbers for the model, others {_sides(shape)}: give a model"
            " whose image processor brings all images to one size"
        )


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
