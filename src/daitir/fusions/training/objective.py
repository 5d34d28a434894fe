"""The loss: symmetric InfoNCE between queries and the features of their targets.

Shape suffixes: B batch, D feature.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_loss(query_BD: Tensor, target_BD: Tensor, scale: Tensor, image_B: Tensor) -> Tensor:
    """Symmetric InfoNCE with in-batch negatives, the mean of both directions (ADaFuSE's training objective).

    ``scale`` multiplies the cosines; ``image_B`` names each target image. Where two queries of a batch
    look for one image, the other's target is no negative: it is left out of the sum.
    """
    logits_BB = scale * query_BD @ target_BD.T
    own_B = torch.arange(len(query_BD), device=query_BD.device)
    same_BB = (image_B[:, None] == image_B[None, :]) & (own_B[:, None] != own_B[None, :])
    logits_BB = logits_BB.masked_fill(same_BB, -torch.inf)
    return (F.cross_entropy(logits_BB, own_B) + F.cross_entropy(logits_BB.T, own_B)) / 2
