"""What is known of a block of queries while a corpus goes by: candidates behind, ties, the best.

Shape suffixes: Q queries, N candidates, D feature, T the best that are kept, G blocks of candidates, L lanes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from daitir.best import best_of, keep_best, pack, unpack

QUERY_ROWS = 512
CANDIDATE_ROWS = 512
GROUP = 16  # blocks of candidates that are looked through for the best together
LANES = 64  # columns that the best are looked for in


class Standing(NamedTuple):
    """Where each target stands, and the best candidates: their places in the corpus and their scores."""

    rank_Q: Tensor
    ties_Q: Tensor
    target_score_Q: Tensor
    best_QT: Tensor
    best_score_QT: Tensor


def groups(blocks: Sequence[tuple[int, Tensor, int]], before: int) -> Iterator[list[tuple[int, Tensor, int]]]:
    """Yield blocks in groups as large as all ``before`` them: so few are better than the best so far."""
    first = 0
    while first < len(blocks):
        size = min(GROUP, max(1, before + first))
        yield list(blocks[first : first + size])
        first += size


class Room(NamedTuple):
    """Memory that all blocks of queries use: scores, the greatest of each lane, how many less and equal."""

    scores_GQN: Tensor
    greatest_GQL: Tensor
    counts_2GQ: Tensor
    flags_QN: Tensor


class Block:
    """A block of queries and what is known of it so far: candidates behind, ties, the best.

    The best are looked for where they can be only: among what scores more than the last of them.
    """

    def __init__(self, query_QD: Tensor, target_QD: Tensor, total: int, top: int, room: Room) -> None:
        self.query_QD, self.total, self.top, self.room = query_QD, total, top, room
        self.target_score_Q = target_scores(query_QD, target_QD)
        self.less_Q, self.ties_Q = query_QD.new_zeros(2, len(query_QD), dtype=torch.long)
        self.best_QT = query_QD.new_empty(len(query_QD), 0, dtype=torch.long)
        self.last_Q = query_QD.new_empty(len(query_QD))
        self.found: list[tuple[Tensor, Tensor]] = []
        self.waiting = 0

    def add(self, start: int, group: list[tuple[int, Tensor, int]]) -> None:
        """Count blocks of candidates that follow each other: the place of each behind ``start``, its rows."""
        for number, (_, candidates, count) in enumerate(group):
            scores_QN = torch.mm(self.query_QD, candidates.T, out=self.room.scores_GQN[number])
            if count < CANDIDATE_ROWS:
                scores_QN[:, count:] = torch.nan  # neither less nor equal nor among the best
            self._count(scores_QN, self.room.counts_2GQ[:, number])
            if self.top:
                lanes_QRL = scores_QN.view(len(scores_QN), -1, LANES)
                torch.amax(lanes_QRL, dim=1, out=self.room.greatest_GQL[number])
        counts_2Q = self.room.counts_2GQ[:, : len(group)].sum(dim=1).long()
        self.less_Q += counts_2Q[0]
        self.ties_Q += counts_2Q[1]
        first = 0
        while self.best_QT.shape[1] < self.top and first < len(group):
            place, _, count = group[first]
            self._keep(best_of(self.room.scores_GQN[first, :, :count], start + place, self.top))
            first += 1
        if self.top and first < len(group):
            self._find(start + group[first][0], first, len(group))

    def _count(self, scores_QN: Tensor, counts_2Q: Tensor) -> None:
        flags_QN, target_Q1 = self.room.flags_QN, self.target_score_Q[:, None]
        torch.sum(torch.lt(scores_QN, target_Q1, out=flags_QN), dim=1, out=counts_2Q[0])
        torch.sum(torch.eq(scores_QN, target_Q1, out=flags_QN), dim=1, out=counts_2Q[1])

    def _find(self, start: int, first: int, last: int) -> None:
        """Put by what may be among the best. Most lanes hold nothing; the others are looked at."""
        lanes_GQRL = self.room.scores_GQN[first:last].unflatten(-1, (-1, LANES))
        greatest_GQL = self.room.greatest_GQL[first:last]
        block_H, row_H = (~(greatest_GQL.amax(dim=2) <= self.last_Q)).nonzero(as_tuple=True)
        above_HL = ~(greatest_GQL[block_H, row_H] <= self.last_Q[row_H, None])  # where NaN stands, too
        hit_P, lane_P = above_HL.nonzero(as_tuple=True)
        block_P, row_P = block_H[hit_P], row_H[hit_P]
        score_PR = lanes_GQRL[block_P, row_P, :, lane_P]
        pair_F, place_F = (score_PR > self.last_Q[row_P, None]).nonzero(as_tuple=True)
        before_F = start + block_P[pair_F] * CANDIDATE_ROWS
        packed_F = pack(score_PR[pair_F, place_F], before_F + place_F * LANES + lane_P[pair_F])
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


def target_scores(query_QD: Tensor, target_QD: Tensor) -> Tensor:
    """Score each query with its own target, in a block of the shape that all candidates are scored in."""
    filled_ND = F.pad(target_QD, (0, 0, 0, CANDIDATE_ROWS - len(target_QD)))
    return (query_QD @ filled_ND.T).diagonal()
