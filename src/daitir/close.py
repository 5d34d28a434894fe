"""Candidates that summed scores set before or behind the target, and those too close to it to tell.

Shape suffixes: Q queries, G blocks of candidates, S stretches of a row, H those that hold what is close, C
candidates of a stretch, P pairs.
"""

import torch
from torch import Tensor

from daitir.best import STRETCHES, Room


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
        room.tally(number, 0, torch.lt, self.low_Q1)
        room.tally(number, 1, torch.le, self.high_Q1)

    def take(self, blocks: int, room: Room) -> tuple[Tensor, Tensor]:
        """Take in what was counted of some blocks; return queries and places of what is close to targets."""
        less_GQS, most_GQS = room.counts_2GQS[:, :blocks]
        close_GQS = most_GQS - less_GQS
        self.less_Q += less_GQS.sum(dim=(0, 2)).long()
        self.close_Q += close_GQS.sum(dim=(0, 2)).long()
        self.forget(self.close_Q > self.most)
        block_H, row_H, stretch_H = (close_GQS * self.is_told_Q[:, None]).nonzero(as_tuple=True)
        scores_HC = room.scores_GQN.unflatten(2, (STRETCHES, -1))[block_H, row_H, stretch_H]
        near_HC = (scores_HC >= self.low_Q1[row_H]) & (scores_HC <= self.high_Q1[row_H])
        from_P, column_P = _true_places(near_HC)
        first_H = (block_H * STRETCHES + stretch_H) * scores_HC.shape[1]
        return row_H[from_P], first_H[from_P] + column_P


def _true_places(flags_HC: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows and columns of what is true. Most is not, so eight are looked at as one number."""
    row_W, word_W = flags_HC.view(torch.long).nonzero(as_tuple=True)
    which_P, byte_P = flags_HC.unflatten(1, (-1, 8))[row_W, word_W].nonzero(as_tuple=True)
    return row_W[which_P], word_W[which_P] * 8 + byte_P
