"""The best of many scores: a score and a place as one integer, so that one comparison orders both.

A greater score comes first, then a smaller place; NaN comes last.

Shape suffixes: Q queries, N candidates, T the best that are kept, G blocks of candidates, L lanes,
S stretches of a row.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LAST_PLACE = 0xFFFFFFFF
LANES = 64  # columns that the best are looked for in
STRETCHES = 4  # of a row of scores


class Room(NamedTuple):
    """Memory that all blocks of queries use: scores, the greatest of each lane, two counts, their flags.

    What is counted is counted in each stretch of a row.
    """

    scores_GQN: Tensor
    greatest_GQL: Tensor
    counts_2GQS: Tensor
    flags_QN: Tensor

    def tally(self, number: int, which: int, flag: Callable[..., Tensor], bound_Q1: Tensor) -> None:
        """Count what ``flag`` says of the scores of a block and a bound."""
        flags_QN = flag(self.scores_GQN[number], bound_Q1, out=self.flags_QN)
        torch.sum(flags_QN.unflatten(1, (STRETCHES, -1)), dim=2, out=self.counts_2GQS[which, number])

    @classmethod
    def of(cls, blocks: int, queries: int, candidates: int) -> "Room":
        """Return room for the scores of some blocks of candidates."""
        return cls(
            torch.empty(blocks, queries, candidates),
            torch.empty(blocks, queries, LANES),
            torch.empty(2, blocks, queries, STRETCHES),
            torch.empty(queries, candidates),
        )


class Best:
    """The best of each query so far. Of the scores in its room a group of blocks is looked through at a time.

    They are looked for where they can be only: among what scores more than the last of them, or, with
    ``slack_Q``, not less than it by more; of these ``surplus`` are kept beyond the best.
    """

    def __init__(self, room: Room, top: int, surplus: int = 0, slack_Q: Tensor | float = 0.0) -> None:
        self.room, self.top, self.slack_Q = room, top, slack_Q
        self.kept = top + surplus if top else 0
        queries = room.scores_GQN.shape[1]
        self.packed_QT = torch.empty(queries, 0, dtype=torch.long)
        self.last_Q = torch.empty(queries)
        self.found: list[tuple[Tensor, Tensor]] = []
        self.waiting = 0

    def look(self, number: int, size: int) -> None:
        """Note the greatest score of each lane of a block that holds so many candidates."""
        if self.top:
            scores_QN = self.room.scores_GQN[number]
            if size < scores_QN.shape[1]:  # what fills it is in no lane
                scores_QN = F.pad(scores_QN[:, :size], (0, scores_QN.shape[1] - size), value=-torch.inf)
            lanes_QRL = scores_QN.unflatten(-1, (-1, LANES))
            torch.amax(lanes_QRL, dim=1, out=self.room.greatest_GQL[number])

    def take(self, start: int, counts: Sequence[int]) -> None:
        """Take in blocks that were looked at: candidates from ``start`` on, so many in each."""
        if not self.kept:
            return
        first, width = 0, self.room.scores_GQN.shape[2]
        if not self.packed_QT.shape[1] and self._set_first_bound(len(counts)):
            self._find(start, 0, len(counts))
            self._merge()
            return
        while self.packed_QT.shape[1] < self.kept and first < len(counts):
            scores_QN = self.room.scores_GQN[first, :, : counts[first]]
            self._keep(best_of(scores_QN, start + first * width, self.kept))
            first += 1
        if first < len(counts):
            self._find(start, first, len(counts))

    def standing(self) -> tuple[Tensor, Tensor]:
        """Return the scores and the places of the best, the best first."""
        self._merge()
        return unpack(self.packed_QT)

    def _set_first_bound(self, blocks: int) -> bool:
        """Set what the best of the first blocks score more than, and tell whether it is of use.

        As many lanes as are kept have a score that is not below the bound, so as many scores are not. It is
        of no use where few lanes hold a number, where many tie, or where it is too small to have a next one.
        """
        if self.kept > LANES:
            return False
        greatest_QL = self.room.greatest_GQL[:blocks].amax(dim=0)
        known_QL = torch.where(greatest_QL.isnan(), -torch.inf, greatest_QL)
        bound_Q = known_QL.topk(self.kept, dim=1, sorted=False).values.amin(dim=1)
        self.last_Q = torch.nextafter(bound_Q, torch.tensor(-torch.inf))
        is_normal_Q = bound_Q.isfinite() & (bound_Q.abs() >= torch.finfo(bound_Q.dtype).tiny)
        ties_Q = (known_QL >= bound_Q[:, None]).sum(dim=1)
        return bool((is_normal_Q & (ties_Q <= 2 * self.kept)).all())

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
        before_F = start + (first + block_P[pair_F]) * self.room.scores_GQN.shape[2]
        packed_F = pack(score_PR[pair_F, place_F], before_F + place_F * LANES + lane_P[pair_F])
        self.found.append((row_P[pair_F], packed_F))
        self.waiting += len(packed_F)
        if self.waiting > len(self.packed_QT) * self.top:
            self._merge()

    def _merge(self) -> None:
        """Take what was found in, a row a query."""
        if not self.waiting:
            return
        row_P, packed_P = (torch.cat(part) for part in zip(*self.found, strict=True))
        row_P, order = row_P.sort()
        count_Q = torch.bincount(row_P, minlength=len(self.packed_QT))
        column_P = torch.arange(len(row_P), device=row_P.device) - (count_Q.cumsum(0) - count_Q)[row_P]
        found = self.packed_QT.new_full((len(count_Q), int(count_Q.max())), torch.iinfo(torch.long).min)
        found[row_P, column_P] = packed_P[order]
        self.found, self.waiting = [], 0
        self._keep(found)

    def _keep(self, packed_QN: Tensor) -> None:
        self.packed_QT = keep_best(torch.cat([self.packed_QT, packed_QN], dim=1), self.kept)
        score_QT, _ = unpack(self.packed_QT)
        wanted_Q = score_QT[:, : self.top][:, -1] - self.slack_Q
        self.last_Q = torch.maximum(score_QT[:, -1], wanted_Q.float())


def best_of(scores_QN: Tensor, start: int, top: int) -> Tensor:
    """Return the best of a block, packed. Places matter only where a tie crosses the border of the best."""
    count = min(top, scores_QN.shape[1])
    scores_QN = torch.where(scores_QN.isnan(), -torch.inf, scores_QN)
    score_QT, place_QT = scores_QN.topk(count, dim=1)
    if (scores_QN >= score_QT[:, -1:]).sum() == score_QT.numel():
        return pack(score_QT, place_QT + start)
    place_N = torch.arange(start, start + scores_QN.shape[1], device=scores_QN.device)
    return keep_best(pack(scores_QN, place_N), count)


def keep_best(packed_QN: Tensor, top: int) -> Tensor:
    """Return the ``top`` greatest of each row, the greatest first."""
    return packed_QN.topk(min(top, packed_QN.shape[1]), dim=1).values


def pack(score: Tensor, place: Tensor) -> Tensor:
    """Return a score and a place as one integer: a greater score is greater, then a smaller place is."""
    bits = (score + 0.0).view(torch.int32)  # + 0.0 makes -0.0 equal to 0.0
    return (_ordered(bits).long() << 32) | (LAST_PLACE - place)


def unpack(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scores and the places."""
    bits = _ordered((packed >> 32).int())
    return bits.view(torch.float32), LAST_PLACE - (packed & LAST_PLACE)


def _ordered(bits: Tensor) -> Tensor:
    """Turn the bits of a float into an integer of the same order, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
