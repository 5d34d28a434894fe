"""What is known of a block of queries while a corpus goes by: candidates behind, ties, the best.

Shape suffixes: Q queries, N candidates, D feature, T the best that are kept, G blocks of candidates.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from daitir.best import Best, Room

QUERY_ROWS = 512
CANDIDATE_ROWS = 512
GROUP = 16  # blocks of candidates that are looked through for the best together


class Standing(NamedTuple):
    """Where each target stands, and the best candidates: their places in the corpus and their scores."""

    rank_Q: Tensor
    ties_Q: Tensor
    target_score_Q: Tensor
    best_QT: Tensor
    best_score_QT: Tensor

    @classmethod
    def joined(cls, parts: Sequence[tuple["Standing", int]]) -> "Standing":
        """Join blocks of queries, of each as many as are new."""
        columns = zip(*([column[:count] for column in part] for part, count in parts), strict=True)
        return cls(*map(torch.cat, columns))


class Cut(NamedTuple):
    """A full block of candidates, its first place in the corpus, and how many of it are no filling."""

    start: int
    candidates_ND: Tensor
    size: int


def cuts_of(corpus_ND: Tensor, start: int = 0) -> Iterator[Cut]:
    """Yield the blocks of candidates from place ``start`` on; the last block is filled up with zeros."""
    for first in range(0, len(corpus_ND), CANDIDATE_ROWS):
        block = corpus_ND[first : first + CANDIDATE_ROWS]
        size = len(block)
        if size < CANDIDATE_ROWS:
            block = F.pad(block, (0, 0, 0, CANDIDATE_ROWS - size))
        yield Cut(start + first, block, size)


def groups(cuts: Sequence[Cut], most: int = GROUP) -> Iterator[Sequence[Cut]]:
    """Yield blocks in groups of so many; in a later group few are better than the best so far."""
    yield from (cuts[first : first + most] for first in range(0, len(cuts), most))


class Block:
    """A block of queries and what is known of it so far: candidates behind, ties, the best."""

    def __init__(self, query_QD: Tensor, target_QD: Tensor, total: int, top: int, room: Room) -> None:
        self.query_QD, self.total, self.room = query_QD, total, room
        self.target_score_Q = target_scores(query_QD, target_QD)
        self.less_Q, self.ties_Q = query_QD.new_zeros(2, len(query_QD), dtype=torch.long)
        self.best = Best(room, top)

    def add(self, group: Sequence[Cut]) -> None:
        """Count blocks of candidates that follow each other."""
        for number, cut in enumerate(group):
            scores_QN = torch.mm(self.query_QD, cut.candidates_ND.T, out=self.room.scores_GQN[number])
            if cut.size < CANDIDATE_ROWS:
                scores_QN[:, cut.size :] = torch.nan  # neither less nor equal nor among the best
            self.room.tally(number, 0, torch.lt, self.target_score_Q[:, None])
            self.room.tally(number, 1, torch.eq, self.target_score_Q[:, None])
            self.best.look(number, cut.size)
        counts_2Q = self.room.counts_2GQS[:, : len(group)].sum(dim=(1, 3)).long()
        self.less_Q += counts_2Q[0]
        self.ties_Q += counts_2Q[1]
        self.best.take(group[0].start, [cut.size for cut in group])

    def standing(self) -> Standing:
        """Return where each target stands."""
        # The target ties with itself unless its score is NaN.
        ties_Q = self.ties_Q - (~self.target_score_Q.isnan()).long()
        score_QT, place_QT = self.best.standing()
        return Standing(self.total - self.less_Q, ties_Q, self.target_score_Q, place_QT, score_QT)


def target_scores(query_QD: Tensor, target_QD: Tensor) -> Tensor:
    """Score each query with its own target, in a block of the shape that all candidates are scored in."""
    filled_ND = F.pad(target_QD, (0, 0, 0, CANDIDATE_ROWS - len(target_QD)))
    return (query_QD @ filled_ND.T).diagonal()
