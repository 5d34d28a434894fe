"""Ranks of several systems together: what is a sum of two others takes its scores from theirs.

Addition and DAR are weighted sums of text and image, divided by their length. The score of a sum is the sum
of the scores, so that two matrix products rank all four. In floats the sum of the scores lies a little beside
the score of the sum, and never further than is known beforehand (`shares`). A candidate further from the
target's score than this is decided. The few that are closer, and those that may be among the best, are scored
again as `rank_targets` scores them; what comes back is what it returns for each system, to the last bit.

Shape suffixes: M queries, N candidates, D feature, Q queries of a block, G blocks of candidates, T the best,
P pairs of query and candidate, C those close to the target, B those of the best, X queries of all sums.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from daitir.best import Best, Room, keep_best, pack, unpack
from daitir.close import Close
from daitir.exact import full_blocks, one_thread
from daitir.scoring import Candidates, parts_of, rank_targets, rows_at, score_pairs
from daitir.shares import LONGEST, Shares, rounding, sums_of_two
from daitir.standings import (
    CANDIDATE_ROWS,
    QUERY_ROWS,
    Block,
    Cut,
    Standing,
    cuts_of,
    groups,
    target_scores,
)

WORTHWHILE = 10_000  # candidates
SURPLUS = 4  # kept beyond the best: by summed scores their order is not yet sure
TOGETHER = 8  # blocks of candidates in a group: their scores of three systems lie in the cache
AT_ONCE = 512  # pairs whose products lie in memory together


class Unsure(NamedTuple):
    """Pairs whose scores must be known to the bit: candidates close to the target, and those of the best."""

    row_C: Tensor
    place_C: Tensor
    place_QT: Tensor
    is_wanted_QT: Tensor

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Return query and candidate of each pair, the close ones first."""
        row_B, column_B = self.is_wanted_QT.nonzero(as_tuple=True)
        return torch.cat([self.row_C, row_B]), torch.cat([self.place_C, self.place_QT[row_B, column_B]])


class Mixed:
    """A block of queries that are sums of two others, and what summed scores tell of them so far.

    A query of which they do not tell the standing is ranked by itself in the end.
    """

    def __init__(
        self, query_QD: Tensor, shares: Shares, target_QD: Tensor, total: int, top: int, room: Room
    ) -> None:
        self.query_QD, self.shares, self.total, self.room = query_QD, shares, total, room
        self.target_score_Q, self.top = target_scores(query_QD, target_QD), min(top, total)
        aim_Q = self.target_score_Q.double() / shares.weight_Q
        self.close = Close(aim_Q, shares.slack_Q, max(32, total // 256))
        self.best = Best(room, self.top, SURPLUS, 2 * shares.slack_Q)
        self.near: list[tuple[Tensor, Tensor]] = []
        self.open: list[tuple[Tensor, Tensor]] = []

    def add(self, group: Sequence[Cut], first_GQN: Tensor, second_GQN: Tensor) -> None:
        """Count blocks of candidates that follow each other, by the scores of the two others."""
        whole_GQN, part_GQN = (second_GQN, first_GQN) if self.shares.is_swapped else (first_GQN, second_GQN)
        for number, cut in enumerate(group):
            out_QN, ratio_Q1 = self.room.scores_GQN[number], self.shares.ratio_Q1
            torch.addcmul(whole_GQN[number], part_GQN[number], ratio_Q1, out=out_QN)
            self.close.count(number, self.room)
            self.best.look(number, cut.size)
        row_P, place_P = self.close.take(len(group), self.room)
        self.near.append((row_P, place_P + group[0].start))
        self.best.take(group[0].start, [cut.size for cut in group])

    def decide(self, start: int, part_ND: Tensor, is_unit: bool) -> None:
        """Look at what was close in a part of the corpus in float64; what rounding can still move is open."""
        if not is_unit:
            self.close.forget(torch.ones_like(self.close.is_told_Q))
        off = rounding(part_ND.shape[1] + 16)
        row_P, place_P = (torch.cat(column) for column in zip(*self.near, strict=True))
        for row, place in zip(row_P.split(AT_ONCE), place_P.split(AT_ONCE), strict=True):
            products = self.query_QD[row].double().mul_(part_ND[place - start])
            above = products.sum(dim=1) - self.target_score_Q[row]
            slack = off * products.abs_().sum(dim=1).clamp_min(2.0**-100)  # no less than what underflows
            self.close.less_Q += torch.bincount(row[above < -slack], minlength=len(self.close.less_Q))
            is_open = above.abs() <= slack
            self.open.append((row[is_open], place[is_open]))
        self.near = []

    def unsure(self, target_Q: Tensor) -> Unsure:
        """Return the pairs whose scores must be known to the bit."""
        approx_QT, place_QT = self.best.standing()
        is_wanted_QT = self._wanted(approx_QT.double())
        row_P, place_P = (torch.cat(column) for column in zip(*self.open, strict=True))
        keep_P = self.close.is_told_Q[row_P] & (place_P != target_Q[row_P])
        return Unsure(row_P[keep_P], place_P[keep_P], place_QT, is_wanted_QT)

    def _wanted(self, approx_QT: Tensor) -> Tensor:
        """Tell which of those that were kept may be of the best, and forget where one that was not may be."""
        if not self.top:
            return torch.zeros_like(approx_QT, dtype=torch.bool)
        least_Q1 = approx_QT[:, self.top - 1 : self.top] - 2 * self.shares.slack_Q[:, None]
        if approx_QT.shape[1] < self.total:
            self.close.forget(~(approx_QT[:, -1] < least_Q1.squeeze(1)))
        return (approx_QT >= least_Q1) & self.close.is_told_Q[:, None]

    def standing(self, unsure: Unsure, score_P: Tensor) -> tuple[Tensor, Standing]:
        """Return the queries that are told, and where their targets stand, by the scores of the pairs."""
        told_Q, aim_C = self.close.is_told_Q, self.target_score_Q[unsure.row_C]
        near_C, best_B = score_P.split([len(aim_C), len(score_P) - len(aim_C)])
        less_Q, ties_Q = (
            torch.bincount(unsure.row_C[is_so], minlength=len(told_Q))
            for is_so in (near_C < aim_C, near_C == aim_C)
        )
        packed_QT = torch.full_like(unsure.place_QT, torch.iinfo(torch.long).min)
        packed_QT[unsure.is_wanted_QT] = pack(best_B, unsure.place_QT[unsure.is_wanted_QT])
        score_QT, place_QT = unpack(keep_best(packed_QT, self.top))
        columns = self.total - self.close.less_Q - less_Q, ties_Q, self.target_score_Q, place_QT, score_QT
        return told_Q.nonzero().squeeze(1), Standing(*(column[told_Q] for column in columns))


class Bundle:
    """A block of queries, the first ``count`` of them new: of two systems and of others, their sums."""

    def __init__(
        self,
        queries: Sequence[Tensor],
        target_QD: Tensor,
        count: int,
        total: int,
        top: int,
        rooms: Sequence[Room],
    ) -> None:
        basis, sums, self.count = queries[:2], queries[2:], count
        self.basis = [
            Block(query_QD, target_QD, total, top, room) for query_QD, room in zip(basis, rooms, strict=False)
        ]
        self.sums = []
        for query_QD in sums:
            shares = Shares.of(query_QD, *basis)
            shares.slack_Q[count:] = torch.inf  # what fills the block is not looked at
            self.sums.append(Mixed(query_QD, shares, target_QD, total, top, rooms[2]))

    def add(self, start: int, part_ND: Tensor, is_unit: bool) -> None:
        """Count a part of the corpus."""
        for group in groups(list(cuts_of(part_ND, start)), TOGETHER):
            for block in self.basis:
                block.add(group)
            for mixed in self.sums:
                mixed.add(group, *(block.room.scores_GQN for block in self.basis))
        for mixed in self.sums:
            mixed.decide(start, part_ND, is_unit)

    def standings(self, corpus_ND: Tensor | Candidates, target_Q: Tensor) -> list[tuple[Tensor, Standing]]:
        """Return of each system the queries that are told, and where their targets stand."""
        unsure = [mixed.unsure(target_Q) for mixed in self.sums]
        pairs = [of_sum.pairs() for of_sum in unsure]
        # The sums of one query have many of the best in common, so they are scored side by side.
        query_XD = torch.stack([mixed.query_QD for mixed in self.sums], dim=1).flatten(0, 1)
        row_P = torch.cat([row_P * len(pairs) + number for number, (row_P, _) in enumerate(pairs)])
        score_P = score_pairs(query_XD, corpus_ND, row_P, torch.cat([place_P for _, place_P in pairs]))
        scores = score_P.split([len(row_P) for row_P, _ in pairs])
        exact = [
            (torch.arange(self.count), Standing(*(column[: self.count] for column in block.standing())))
            for block in self.basis
        ]
        return exact + [
            mixed.standing(of_sum, score_P)
            for mixed, of_sum, score_P in zip(self.sums, unsure, scores, strict=True)
        ]


def rank_together(
    queries: Mapping[str, Tensor], corpus_ND: Tensor | Candidates, target_M: Tensor, top: int = 10
) -> dict[str, Standing]:
    """Return of each system what `rank_targets` returns, to the last bit, with fewer matrix products.

    ``queries`` are M x D each. A system that is no sum of two others is ranked by itself, and so are all
    where a corpus is so small that to score it again costs no more than to look at what is close.
    """
    with one_thread():
        names = sums_of_two(queries) if len(corpus_ND) >= WORTHWHILE else []
        shared = rank_sums([queries[name] for name in names], corpus_ND, target_M, top) if names else []
        standings = dict(zip(names, shared, strict=True))
        return {
            name: standings.get(name) or rank_targets(query_MD, corpus_ND, target_M, top)
            for name, query_MD in queries.items()
        }


def rank_sums(
    queries: Sequence[Tensor], corpus_ND: Tensor | Candidates, target_M: Tensor, top: int
) -> list[Standing]:
    """Rank two systems, and others that are sums of these, as `rank_targets` does."""
    told: list[list[tuple[Tensor, Standing]]] = [[] for _ in queries]
    rooms = [Room.of(TOGETHER, QUERY_ROWS, CANDIDATE_ROWS) for _ in range(3)]
    bundles = []
    for place_Q, count in full_blocks(len(target_M), QUERY_ROWS):
        rows, target_QD = [query_MD[place_Q] for query_MD in queries], rows_at(corpus_ND, target_M[place_Q])
        bundles.append((place_Q, Bundle(rows, target_QD, count, len(corpus_ND), top, rooms)))
    start = 0
    for part_ND in parts_of(corpus_ND):
        is_unit = bool((part_ND.norm(dim=1) <= LONGEST - 2**-11).all())
        for _, bundle in bundles:
            bundle.add(start, part_ND, is_unit)
        start += len(part_ND)
    for place_Q, bundle in bundles:
        standings = bundle.standings(corpus_ND, target_M[place_Q])
        for parts, (row_Q, standing) in zip(told, standings, strict=True):
            parts.append((place_Q[row_Q], standing))
    return [
        _whole(parts, query, corpus_ND, target_M, top) for parts, query in zip(told, queries, strict=True)
    ]


def _whole(
    parts: list[tuple[Tensor, Standing]],
    query_MD: Tensor,
    corpus_ND: Tensor | Candidates,
    target_M: Tensor,
    top: int,
) -> Standing:
    """Put together what is known of some queries; those that are missing are ranked by themselves."""
    is_missing_M = torch.ones(len(target_M), dtype=torch.bool)
    for row_Q, _ in parts:
        is_missing_M[row_Q] = False
    if is_missing_M.any():
        again = rank_targets(query_MD[is_missing_M], corpus_ND, target_M[is_missing_M], top)
        parts = [*parts, (is_missing_M.nonzero().squeeze(1), again)]
    order_M = torch.cat([row_Q for row_Q, _ in parts]).argsort()
    columns = zip(*(standing for _, standing in parts), strict=True)
    return Standing(*(torch.cat(column)[order_M] for column in columns))
