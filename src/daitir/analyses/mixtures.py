"""Ranks of many weighted sums of the same features: scored once, summed for every set of weights.

The score of a sum is the sum of the scores, and the length of a query changes the order of nothing. So each
pile of features (texts, images) is scored once, and each mixture of piles costs a sum and a comparison. In
floats the two ways differ in the last digits. Hence a candidate counts as behind the target, or before it,
where the scores lie further apart than rounding can move them; the few that lie closer are scored again as
the rank stage scores them. The ranks are those of the rank stage, to the last one.

Shape suffixes: M queries, N candidates, D feature, Q queries of a block, P pairs of query and candidate.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from daitir.exact import one_thread
from daitir.scoring import count_ranks, score_less
from daitir.shares import UNIT
from daitir.standings import CANDIDATE_ROWS, QUERY_ROWS

MOST_PAIRS_A_QUERY = 200  # beyond them scoring all anew is as fast

Name = TypeVar("Name", bound=Hashable)


class Pile(NamedTuple):
    """A row a query: the sum of ``summed`` features, whose lengths together are ``mass_M``."""

    rows_MD: Tensor
    mass_M: Tensor
    summed: int

    @classmethod
    def of(cls, features_MKD: Tensor) -> "Pile":
        """Sum K features of each query."""
        mass_M = features_MKD.norm(dim=2).sum(dim=1, dtype=torch.float64)
        return cls(features_MKD.sum(dim=1), mass_M, features_MKD.shape[1])


Mixture = Mapping[Hashable, Tensor]  # the weight a query (float64) of each pile, by its name


class _Count:
    """How many candidates of a mixture score less than the target, and which pairs are too close to tell."""

    def __init__(
        self,
        mixture: Mixture,
        piles: Mapping[Hashable, Pile],
        aims: Mapping[Hashable, Tensor],
        longest: float,
    ) -> None:
        self.weights = {name: weight_M.float() for name, weight_M in mixture.items() if weight_M.any()}
        aim_M = sum(weight_M * aims[name] for name, weight_M in mixture.items())
        mass_M = sum(weight_M.abs() * piles[name].mass_M for name, weight_M in mixture.items())
        assert isinstance(aim_M, Tensor)
        # A float32 dot product of D terms is off by at most D units of the lengths (Higham, 2002, 3.1): those
        # of a pile, of the direct way's candidate and target, and of the lengths that it divides by. The
        # other numbers are far above the roundings of sums over images and of weights.
        terms = max(5 * piles[name].rows_MD.shape[1] + 16 * piles[name].summed + 64 for name in mixture)
        slack_M = mass_M * longest * terms * UNIT
        self.low_M, self.high_M = (aim_M - slack_M).float(), (aim_M + slack_M).float()
        self.less_M = torch.zeros(len(aim_M), dtype=torch.long)
        self.pairs: list[tuple[Tensor, Tensor]] = []
        self.close = 0
        # Of a feature that is not finite nothing can be told beforehand; then mass or longest is not either.
        self.is_told = bool(torch.isfinite(self.high_M - self.low_M).all())

    def add(
        self, rows: slice, start: int, tiles: Mapping[Hashable, Tensor], room: Tensor, flags: Tensor
    ) -> None:
        """Count a block of scores; ``room`` and ``flags`` are overwritten."""
        for number, (name, weight_M) in enumerate(self.weights.items()):
            if number == 0:
                torch.mul(tiles[name], weight_M[rows, None], out=room)
            else:
                room.addcmul_(tiles[name], weight_M[rows, None])
        low_Q1, high_Q1 = self.low_M[rows, None], self.high_M[rows, None]
        less_Q = torch.lt(room, low_Q1, out=flags).sum(dim=1)
        close_Q = torch.le(room, high_Q1, out=flags).sum(dim=1) - less_Q
        self.less_M[rows] += less_Q.long()
        (some,) = close_Q.nonzero(as_tuple=True)
        if len(some):
            near = (room[some] >= low_Q1[some]) & (room[some] <= high_Q1[some])
            row_P, candidate_P = near.nonzero(as_tuple=True)
            self.pairs.append((some[row_P] + rows.start, candidate_P + start))
            self.close += len(row_P)
            if self.close > MOST_PAIRS_A_QUERY * len(self.less_M):
                self.is_told, self.pairs = False, []


def rank_mixtures(
    piles: Mapping[Hashable, Pile],
    mixtures: Mapping[Name, Mixture],
    direct: Callable[[Name], Tensor],
    corpus_ND: Tensor,
    target_M: Tensor,
) -> dict[Name, Tensor]:
    """Return the ranks of each mixture; ``direct`` gives its queries as the fusion makes them (M x D)."""
    if not mixtures:
        return {}
    with one_thread():
        counts = _count_all(piles, mixtures, corpus_ND, target_M)
        return {name: _settled(count, direct, name, corpus_ND, target_M) for name, count in counts.items()}


def _count_all(
    piles: Mapping[Hashable, Pile], mixtures: Mapping[Name, Mixture], corpus_ND: Tensor, target_M: Tensor
) -> dict[Name, _Count]:
    corpus_MD = corpus_ND[target_M].double()
    aims = {name: (pile.rows_MD.double() * corpus_MD).sum(dim=1) for name, pile in piles.items()}
    longest = float(corpus_ND.norm(dim=1).max())
    counts = {name: _Count(mixture, piles, aims, longest) for name, mixture in mixtures.items()}
    for first in range(0, len(target_M), QUERY_ROWS):
        rows = slice(first, min(first + QUERY_ROWS, len(target_M)))
        for start in range(0, len(corpus_ND), CANDIDATE_ROWS):
            block = corpus_ND[start : start + CANDIDATE_ROWS]
            tiles = {name: pile.rows_MD[rows] @ block.T for name, pile in piles.items()}
            room, flags = torch.empty(2, rows.stop - first, len(block))
            for count in counts.values():
                if count.is_told:
                    count.add(rows, start, tiles, room, flags)
    return counts


def _settled(
    count: _Count, direct: Callable[[Name], Tensor], name: Name, corpus_ND: Tensor, target_M: Tensor
) -> Tensor:
    if not count.is_told:
        return count_ranks(direct(name), corpus_ND, target_M)
    rank_M = len(corpus_ND) - count.less_M
    if not count.pairs:
        return rank_M
    row_P, candidate_P = (torch.cat(part) for part in zip(*count.pairs, strict=True))
    is_other = candidate_P != target_M[row_P]
    row_P, candidate_P = row_P[is_other], candidate_P[is_other]
    if len(row_P):
        less_P = score_less(direct(name), corpus_ND, target_M, row_P, candidate_P)
        rank_M -= torch.bincount(row_P[less_P], minlength=len(rank_M))
    return rank_M
