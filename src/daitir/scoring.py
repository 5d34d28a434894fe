"""Scoring: the rank of each query's target among all candidates of a corpus. Pure: tensors in, tensors out.

Scores are float32 cosines of unit vectors. Candidates are streamed in blocks, and what is greater is
counted, not sorted, so that memory does not grow with the corpus.

Shape suffixes: Q queries, N candidates, D feature, T the best candidates that are kept, G blocks, L lanes.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from daitir.exact import full_blocks, one_thread
from daitir.standings import (
    CANDIDATE_ROWS,
    GROUP,
    LANES,
    QUERY_ROWS,
    Block,
    Room,
    Standing,
    groups,
    target_scores,
)


def target_ranks(scores_QN: Tensor, target_Q: Tensor) -> Tensor:
    """Rank of each query's target, 1 for the best.

    Only a candidate that scores strictly less is behind the target, so ties and NaN count against the method.
    """
    target_score_Q1 = scores_QN.gather(1, target_Q[:, None])
    return scores_QN.shape[1] - (scores_QN < target_score_Q1).sum(dim=1)


def target_ties(scores_QN: Tensor, target_Q: Tensor) -> Tensor:
    """Count, for each query, the other candidates that score exactly what its target scores."""
    target_score_Q1 = scores_QN.gather(1, target_Q[:, None])
    others_QN = torch.ones_like(scores_QN, dtype=torch.bool).scatter_(1, target_Q[:, None], False)
    return ((scores_QN == target_score_Q1) & others_QN).sum(dim=1)


class Candidates(Protocol):
    """A corpus that is read part by part: N vectors, float32."""

    def __len__(self) -> int:
        """Return N."""

    def __getitem__(self, place_P: np.ndarray, /) -> np.ndarray:
        """Return the vectors at some places, P x D."""

    def parts(self) -> Iterator[np.ndarray]:
        """Yield all vectors in order, a multiple of `CANDIDATE_ROWS` at a time but for the last."""


def rank_targets(
    query_QD: Tensor, corpus_ND: Tensor | Candidates, target_Q: Tensor, top: int = 10
) -> Standing:
    """Rank each query's target in the whole corpus and keep the ``top`` best candidates.

    The same as `target_ranks` and `target_ties` of ``query_QD @ corpus_ND.T``, in flat memory and with
    bits that depend on the query and the corpus alone. Among equal scores the candidate that comes first
    in the corpus (whose rows are sorted by key) comes first; NaN comes last.
    """
    with one_thread():
        blocks = _blocks(query_QD, corpus_ND, target_Q, top)
        start = 0
        for part_ND in _parts(corpus_ND):
            cuts = list(_candidate_blocks(part_ND))
            for block, _ in blocks:
                for group in groups(cuts, start // CANDIDATE_ROWS):
                    block.add(start, group)
            start += len(part_ND)
        parts = [[column[:count] for column in block.standing()] for block, count in blocks]
    return Standing(*(torch.cat(column) for column in zip(*parts, strict=True)))


def count_ranks(query_QD: Tensor, corpus_ND: Tensor, target_Q: Tensor) -> Tensor:
    """Return the ranks of `rank_targets` alone, the same to the last one, without looking for the best."""
    return rank_targets(query_QD, corpus_ND, target_Q, top=0).rank_Q


def score_less(
    query_QD: Tensor, corpus_ND: Tensor, target_Q: Tensor, row_P: Tensor, candidate_P: Tensor
) -> Tensor:
    """Whether candidates score less than the targets, of P pairs of a query (in order) and a candidate.

    Each pair is decided as `rank_targets` decides it, to the bit.
    """
    less_P, rows = torch.zeros(len(row_P), dtype=torch.bool), torch.unique(row_P)
    with one_thread():
        for place_Q, count in full_blocks(len(rows), QUERY_ROWS):
            row_Q = rows[place_Q]
            query, target_score_Q = (
                query_QD[row_Q],
                target_scores(query_QD[row_Q], corpus_ND[target_Q[row_Q]]),
            )
            first = torch.searchsorted(row_P, row_Q[0])
            last = torch.searchsorted(row_P, row_Q[count - 1], right=True)
            own, place_P = torch.unique(candidate_P[first:last], return_inverse=True)
            query_P = torch.searchsorted(row_Q[:count].contiguous(), row_P[first:last])
            less = torch.zeros(len(place_P), dtype=torch.bool)
            for start, candidates, size in _candidate_blocks(corpus_ND[own]):
                inside = (place_P >= start) & (place_P < start + size)
                score_P = (query @ candidates.T)[query_P[inside], place_P[inside] - start]
                less[inside] = score_P < target_score_Q[query_P[inside]]
            less_P[first:last] = less
    return less_P


def _candidate_blocks(corpus_ND: Tensor) -> Iterator[tuple[int, Tensor, int]]:
    """Yield the first place, the candidates and their count; the last block is filled up with zeros."""
    for start in range(0, len(corpus_ND), CANDIDATE_ROWS):
        block = corpus_ND[start : start + CANDIDATE_ROWS]
        count = len(block)
        if count < CANDIDATE_ROWS:
            block = F.pad(block, (0, 0, 0, CANDIDATE_ROWS - count))
        yield start, block, count


def _parts(corpus_ND: Tensor | Candidates) -> Iterator[Tensor]:
    if isinstance(corpus_ND, Tensor):
        yield corpus_ND
    else:
        yield from map(torch.from_numpy, corpus_ND.parts())


def _at(corpus_ND: Tensor | Candidates, place_P: Tensor) -> Tensor:
    if isinstance(corpus_ND, Tensor):
        return corpus_ND[place_P]
    return torch.from_numpy(corpus_ND[place_P.numpy()])


def _blocks(
    query_QD: Tensor, corpus_ND: Tensor | Candidates, target_Q: Tensor, top: int
) -> list[tuple["Block", int]]:
    """Return the queries in full blocks, each with how many of them are new."""
    room = Room(
        query_QD.new_empty(GROUP, QUERY_ROWS, CANDIDATE_ROWS),
        query_QD.new_empty(GROUP, QUERY_ROWS, LANES),
        query_QD.new_empty(2, GROUP, QUERY_ROWS),
        query_QD.new_empty(QUERY_ROWS, CANDIDATE_ROWS),
    )
    return [
        (Block(query_QD[place_Q], _at(corpus_ND, target_Q[place_Q]), len(corpus_ND), top, room), count)
        for place_Q, count in full_blocks(len(query_QD), QUERY_ROWS)
    ]
