"""Candidates that summed scores set before or behind the target, and those too close to it to tell.

Shape suffixes: Q queries, N candidates, G blocks of candidates, H rows that hold what is close, P pairs.
"""

import torch
from torch import Tensor

from daitir.best import Room


class Close:
    """How many candidates score less for sure than the target, and which lie too close to it to tell.

    ``aim_Q`` is the score of the target, ``slack_Q`` how far the scores that are counted may be off. Of a
    query with more than ``most`` close candidates, or a slack that is no number, nothing is told.
    """

    def __init__(self, aim_Q: Tensor, slack_Q: Tensor, most: int) -> None:
        self.low_Q1 = (aim_Q - slack_Q).float()[:, None]
        self.high_Q1 = (aim_Q + slack_Q).float()[:, None]
        self.most = most
        self.less_Q, self.close_Q = torch.zeros(2, len(aim_Q), dtype=torch.long)
        self.is_told_Q = torch.ones(len(aim_Q), dtype=torch.bool)
        self.forget(~(self.high_Q1 - self.low_Q1).isfinite().squeeze(1))

    def forget(self, some_Q: Tensor) -> None:
        """Tell nothing of some queries, and find nothing close to their targets any more."""
        self.is_told_Q &= ~some_Q
        self.low_Q1[some_Q] = self.high_Q1[some_Q] = -torch.inf

    def count(self, number: int, room: Room) -> None:
        """Count a block of scores in the room: those that are less, and those that are not more."""
        scores_QN, flags_QN, counts_2Q = room.scores_GQN[number], room.flags_QN, room.counts_2GQ[:, number]
        torch.sum(torch.lt(scores_QN, self.low_Q1, out=flags_QN), dim=1, out=counts_2Q[0])
        torch.sum(torch.le(scores_QN, self.high_Q1, out=flags_QN), dim=1, out=counts_2Q[1])

    def take(self, blocks: int, room: Room) -> tuple[Tensor, Tensor]:
        """Take in what was counted of some blocks; return queries and places of what is close to targets."""
        less_GQ, most_GQ = room.counts_2GQ[:, :blocks]
        close_GQ = most_GQ - less_GQ
        self.less_Q += less_GQ.sum(dim=0).long()
        self.close_Q += close_GQ.sum(dim=0).long()
        self.forget(self.close_Q > self.most)
        block_H, row_H = (close_GQ * self.is_told_Q).nonzero(as_tuple=True)
        scores_HN = room.scores_GQN[block_H, row_H]
        near_HN = (scores_HN >= self.low_Q1[row_H]) & (scores_HN <= self.high_Q1[row_H])
        # Most hold nothing: eight are looked at as one number.
        word_P, eighth_P = near_HN.view(torch.long).nonzero(as_tuple=True)
        pair_P, bit_P = near_HN.unflatten(1, (-1, 8))[word_P, eighth_P].nonzero(as_tuple=True)
        from_H = word_P[pair_P]
        return row_H[from_H], block_H[from_H] * scores_HN.shape[1] + eighth_P[pair_P] * 8 + bit_P
