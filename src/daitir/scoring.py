"""Scoring: the rank of each query's target among all candidates of a corpus. Pure: tensors in, tensors out.

Scores are float32 cosines of unit vectors. Candidates are streamed in blocks, and what is greater is
counted, not sorted, so that memory does not grow with the corpus.

Shape suffixes: Q queries, N candidates, D feature, T the best candidates that are kept, P pairs.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from daitir.best import Room
from daitir.exact import full_blocks, one_thread, rows_that_do
from daitir.standings import CANDIDATE_ROWS, GROUP, QUERY_ROWS, Block, Standing, cuts_of, groups


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
        room = Room.of(GROUP, QUERY_ROWS, CANDIDATE_ROWS)
        blocks = [
            (
                Block(query_QD[place_Q], rows_at(corpus_ND, target_Q[place_Q]), len(corpus_ND), top, room),
                count,
            )
            for place_Q, count in full_blocks(len(query_QD), QUERY_ROWS)
        ]
        start = 0
        for part_ND in parts_of(corpus_ND):
            cuts = list(cuts_of(part_ND, start))
            for block, _ in blocks:
                for group in groups(cuts):
                    block.add(group)
            start += len(part_ND)
        return Standing.joined([(block.standing(), count) for block, count in blocks])


def count_ranks(query_QD: Tensor, corpus_ND: Tensor, target_Q: Tensor) -> Tensor:
    """Return the ranks of `rank_targets` alone, the same to the last one, without looking for the best."""
    return rank_targets(query_QD, corpus_ND, target_Q, top=0).rank_Q


def score_pairs(
    query_QD: Tensor, corpus_ND: Tensor | Candidates, row_P: Tensor, candidate_P: Tensor
) -> Tensor:
    """Score P pairs of a query and a candidate, each to the bit as `rank_targets` scores it.

    The work is a block product for every 512 candidates that 64 queries have between them (more queries,
    where 64 have not the bits of a full block).
    """
    score_P = query_QD.new_empty(len(row_P))
    row_P, order = row_P.sort()
    candidate_P, rows = candidate_P[order], torch.unique_consecutive(row_P)
    with one_thread():
        together = rows_that_do(QUERY_ROWS, CANDIDATE_ROWS, query_QD.shape[1])
        for place_Q, count in full_blocks(len(rows), together):
            row_Q = rows[place_Q]
            own_QD = query_QD[row_Q]
            first, last = torch.searchsorted(row_P, row_Q[[0, count - 1]] + torch.tensor([0, 1])).tolist()
            own, place_B = torch.unique(candidate_P[first:last], return_inverse=True)
            query_B, order_B = torch.searchsorted(row_Q[:count], row_P[first:last]), order[first:last]
            for cut in cuts_of(rows_at(corpus_ND, own)):
                inside = (place_B >= cut.start) & (place_B < cut.start + cut.size)
                scores_QN = own_QD @ cut.candidates_ND.T
                score_P[order_B[inside]] = scores_QN[query_B[inside], place_B[inside] - cut.start]
    return score_P


def score_less(
    query_QD: Tensor, corpus_ND: Tensor | Candidates, target_Q: Tensor, row_P: Tensor, candidate_P: Tensor
) -> Tensor:
    """Whether candidates score less than the targets, of P pairs of a query and a candidate.

    Each pair is decided as `rank_targets` decides it, to the bit.
    """
    rows, place_P = torch.unique(row_P, return_inverse=True)
    target_score = score_pairs(query_QD, corpus_ND, rows, target_Q[rows])
    return score_pairs(query_QD, corpus_ND, row_P, candidate_P) < target_score[place_P]


def parts_of(corpus_ND: Tensor | Candidates) -> Iterator[Tensor]:
    """Yield a corpus part by part."""
    if isinstance(corpus_ND, Tensor):
        yield corpus_ND
    else:
        yield from map(torch.from_numpy, corpus_ND.parts())


def rows_at(corpus_ND: Tensor | Candidates, place_P: Tensor) -> Tensor:
    """Return the candidates at some places."""
    if isinstance(corpus_ND, Tensor):
        return corpus_ND[place_P]
    return torch.from_numpy(corpus_ND[place_P.numpy()])
