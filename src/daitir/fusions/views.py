"""How a fusion that joins the text with one image sees the K images of a round.

Shape suffixes: B batch, K images, D feature.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from daitir.fusions.base import Fused, mean_image, use_images


def seen_images(images_BKD: Tensor | None, count: int | None, averages: bool) -> Tensor:
    """Return the images that a fusion is given: the first ``count``, or their mean as a single one."""
    images_BKD = use_images(images_BKD, count)
    return mean_image(images_BKD)[:, None] if averages else images_BKD


class ViewAttention(nn.Module):
    """v = normalise(sum_k a_k v_k), a = softmax over K of (W_q t) . (W_k v_k) / sqrt(P)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)

    def forward(self, text_BD: Tensor, images_BKD: Tensor) -> Tensor:
        """Return one image a query."""
        likeness_BK = (self.key(images_BKD) @ self.query(text_BD)[:, :, None]).squeeze(-1)
        weight_BK = (likeness_BK / math.sqrt(text_BD.shape[1])).softmax(dim=-1)
        return F.normalize((weight_BK[:, :, None] * images_BKD).sum(dim=1), dim=-1)


def average_views(fused: Fused, images: int) -> Fused:
    """Join what B * K pairs of a text and an image gave, the K of a text one after the other.

    A candidate's score with the mean of K queries is the mean of its K scores, so the mean query, brought
    back to unit length, ranks as the averaged scores do; gate and router are the means of the K.
    """
    query_BD, *weights = (
        None if column is None else column.unflatten(0, (-1, images)).mean(dim=1) for column in fused
    )
    assert query_BD is not None
    return Fused(F.normalize(query_BD, dim=-1), *weights)
