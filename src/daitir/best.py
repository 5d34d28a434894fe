"""The best of many scores: a score and a place as one integer, so that one comparison orders both.

A greater score comes first, then a smaller place; NaN comes last.

Shape suffixes: Q queries, N candidates, T the best that are kept.
"""

import torch
from torch import Tensor

LAST_PLACE = 0xFFFFFFFF


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
