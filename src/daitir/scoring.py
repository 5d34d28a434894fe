"""Scoring: the rank of each query's target among all candidates of a corpus. Pure: tensors in, tensors out.

Scores are float32 cosines of unit vectors. Candidates are streamed in blocks, and what is greater is
counted, not sorted, so that memory does not grow with the corpus.

Shape suffixes: Q queries, N candidates, D feature, T the best candidates that are kept.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from daitir.best import best_of, keep_best, pack, unpack
from daitir.exact import full_blocks, one_thread

QUERY_ROWS = 512
CANDIDATE_ROWS = 512
LANES = 32  # columns that the best are looked for in


class Standing(NamedTuple):
    """Where each target stands, and the best candidates: their places in the corpus and their scores."""

    rank_Q: Tensor
    ties_Q: Tensor
    target_score_Q: Tensor
    best_QT: Tensor
    best_score_QT: Tensor


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
                for place, candidates, count in cuts:
                    block.add(start + place, candidates, count)
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
                _target_scores(query_QD[row_Q], corpus_ND[target_Q[row_Q]]),
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
) -> list[tuple["_Block", int]]:
    """Return the queries in full blocks, each with how many of them are new."""
    room = query_QD.new_empty(2, QUERY_ROWS, CANDIDATE_ROWS)
    return [
        (_Block(query_QD[place_Q], _at(corpus_ND, target_Q[place_Q]), len(corpus_ND), top, room), count)
        for place_Q, count in full_blocks(len(query_QD), QUERY_ROWS)
    ]


class _Block:
    """A block of queries and what is known of it so far: candidates behind, ties, the best.

    The best are looked for where they can be only: among what scores more than the last of them.
    """

    def __init__(self, query_QD: Tensor, target_QD: Tensor, total: int, top: int, room: Tensor) -> None:
        self.query_QD, self.total, self.top, self.room = query_QD, total, top, room
        self.target_score_Q = _target_scores(query_QD, target_QD)
        self.less_Q, self.ties_Q = query_QD.new_zeros(2, len(query_QD), dtype=torch.long)
        self.best_QT = query_QD.new_empty(len(query_QD), 0, dtype=torch.long)
        self.last_Q = query_QD.new_empty(len(query_QD))
        self.found: list[tuple[Tensor, Tensor]] = []
        self.waiting = 0

    def add(self, start: int, candidates: Tensor, count: int) -> None:
        """Count a block of candidates, of which ``count`` are some, the first at the place ``start``."""
        scores_QN = torch.mm(self.query_QD, candidates.T, out=self.room[0])[:, :count]
        flags_QN, target_Q1 = self.room[1][:, :count], self.target_score_Q[:, None]
        self.less_Q += torch.lt(scores_QN, target_Q1, out=flags_QN).sum(dim=1).long()
        self.ties_Q += torch.eq(scores_QN, target_Q1, out=flags_QN).sum(dim=1).long()
        if self.best_QT.shape[1] < self.top:
            self._keep(best_of(scores_QN, start, self.top))
        elif self.top:
            self.room[0][:, count:] = -torch.inf
            self._find(self.room[0], start)

    def _find(self, scores_QN: Tensor, start: int) -> None:
        """Put by what may be among the best. Most lanes of a block hold nothing; the others are looked at."""
        lanes_QRL = scores_QN.view(len(scores_QN), -1, LANES)
        row_P, lane_P = (~(lanes_QRL.amax(dim=1) <= self.last_Q[:, None])).nonzero(as_tuple=True)
        score_PR = lanes_QRL[row_P, :, lane_P]  # those where NaN stands, too
        pair_F, place_F = (score_PR > self.last_Q[row_P, None]).nonzero(as_tuple=True)
        packed_F = pack(score_PR[pair_F, place_F], start + place_F * LANES + lane_P[pair_F])
        self.found.append((row_P[pair_F], packed_F))
        self.waiting += len(packed_F)
        if self.waiting > len(self.best_QT) * self.top:
            self._merge()

    def _merge(self) -> None:
        """Take what was found in, a row a query."""
        if not self.waiting:
            return
        row_P, packed_P = (torch.cat(part) for part in zip(*self.found, strict=True))
        row_P, order = row_P.sort()
        count_Q = torch.bincount(row_P, minlength=len(self.best_QT))
        column_P = torch.arange(len(row_P), device=row_P.device) - (count_Q.cumsum(0) - count_Q)[row_P]
        found = self.best_QT.new_full((len(count_Q), int(count_Q.max())), torch.iinfo(torch.long).min)
        found[row_P, column_P] = packed_P[order]
        self.found, self.waiting = [], 0
        self._keep(found)

    def _keep(self, packed_QN: Tensor) -> None:
        self.best_QT = keep_best(torch.cat([self.best_QT, packed_QN], dim=1), self.top)
        self.last_Q = unpack(self.best_QT[:, -1])[0]

    def standing(self) -> Standing:
        """Return where each target stands."""
        self._merge()
        # The target ties with itself unless its score is NaN.
        ties_Q = self.ties_Q - (~self.target_score_Q.isnan()).long()
        score_QT, place_QT = unpack(self.best_QT)
        return Standing(self.total - self.less_Q, ties_Q, self.target_score_Q, place_QT, score_QT)


def _target_scores(query_QD: Tensor, target_QD: Tensor) -> Tensor:
    """Score each query with its own target, in a block of the shape that all candidates are scored in."""
    filled_ND = F.pad(target_QD, (0, 0, 0, CANDIDATE_ROWS - len(target_QD)))
    return (query_QD @ filled_ND.T).diagonal()
