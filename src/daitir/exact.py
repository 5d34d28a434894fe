"""Arithmetic whose bits do not depend on how the work was cut: one thread, and blocks of one shape.

The row of a matrix product has the same bits wherever it stands in a block and whatever stands beside it,
but other bits in a block of another kind of shape (measured: single rows and narrow remainders take
another kernel). So every block is filled up to its full size.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread inside the block; sums then have one order on every machine of a kind."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def full_blocks(count: int, rows: int) -> Iterator[tuple[Tensor, int]]:
    """Yield the places 0..count-1 in blocks of exactly ``rows``, each with how many of them are new.

    The last block repeats its last place until it is full.
    """
    for start in range(0, count, rows):
        yield torch.arange(start, start + rows).clamp_(max=count - 1), min(rows, count - start)
