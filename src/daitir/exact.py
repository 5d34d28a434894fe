"""Arithmetic whose bits do not depend on how the work was cut: one thread, and blocks of one shape.

The row of a matrix product has the same bits wherever it stands in a block and whatever stands beside it,
but other bits in a block of another kind of shape (measured: single rows and narrow remainders take
another kernel). So every block is filled up to its full size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

NARROWER = (64, 128, 256)  # rows that a block may do with, where few are needed


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


@cache
def rows_that_do(rows: int, candidates: int, width: int) -> int:
    """Return the fewest rows in a block that have the bits they have among ``rows``, on this machine.

    No library promises that for any shape, so it is looked at, with random vectors of that width.
    """
    random = torch.Generator().manual_seed(0)
    query_QD = torch.randn(rows, width, generator=random)
    candidate_DN = torch.randn(candidates, width, generator=random).T
    with one_thread():
        full_QN = query_QD @ candidate_DN
        for fewer in NARROWER:
            parts = [part_QD @ candidate_DN for part_QD in query_QD.split(fewer)]
            if torch.equal(torch.cat(parts), full_QN):
                return fewer
    return rows
