"""The loss terms of DMCL, pure: features of a batch in, numbers out.

Features have unit length; ``scale`` multiplies the cosines. Where two rows of a batch look for one image,
neither is a negative of the other: ``same_BB`` is true there, and false on the diagonal.

Shape suffixes: B batch, D feature, H hardest, T terms.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from daitir.tuning import HardNegatives

FIRST_WEIGHTS = (1.0, 1.0, 1.0, 0.5, 0.2)  # of `tuning.TERMS`


class Views(NamedTuple):
    """Unit features (B x D) of a batch: query text, generated image, target image."""

    text_BD: Tensor
    image_BD: Tensor
    target_BD: Tensor


def others_of_same(image_B: Tensor) -> Tensor:
    """Return where two different rows of a batch look for one image (B x B); ``image_B`` names each."""
    same_BB = image_B[:, None] == image_B[None, :]
    return same_BB & ~torch.eye(len(image_B), dtype=torch.bool, device=image_B.device)


def info_nce(one_BD: Tensor, other_BD: Tensor, scale: Tensor, same_BB: Tensor) -> Tensor:
    """Symmetric InfoNCE with in-batch negatives, the mean of both directions."""
    logits_BB = (scale * one_BD @ other_BD.T).masked_fill(same_BB, -torch.inf)
    own_B = torch.arange(len(one_BD), device=one_BD.device)
    return (F.cross_entropy(logits_BB, own_B) + F.cross_entropy(logits_BB.T, own_B)) / 2


def disagreement(views: Views, scale: Tensor, temperature: float) -> Tensor:
    """Jensen-Shannon divergence of what text and image each expect of the batch's targets.

    Between softmax(s t C^T / temperature) and softmax(s v C^T / temperature), in nats: 0 where both agree,
    ln 2 at most. The mean over the batch.
    """
    text_BB, image_BB = (
        F.log_softmax(scale / temperature * query_BD @ views.target_BD.T, dim=-1)
        for query_BD in (views.text_BD, views.image_BD)
    )
    middle_BB = torch.logaddexp(text_BB, image_BB) - math.log(2)
    divergence_B = sum((one.exp() * (one - middle_BB)).sum(dim=-1) for one in (text_BB, image_BB))
    return torch.as_tensor(divergence_B).mean() / 2


def hardest(query_BD: Tensor, target_BD: Tensor, same_BB: Tensor, options: HardNegatives) -> Tensor:
    """Loss of the hardest negatives of each query and of each target, the mean of both directions."""
    cosine_BB = query_BD @ target_BD.T
    own_BB = torch.eye(len(cosine_BB), dtype=torch.bool, device=cosine_BB.device)
    wrong_BB = cosine_BB.masked_fill(own_BB | same_BB, -torch.inf)
    positive_B1 = cosine_BB.diagonal()[:, None]
    count = min(options.count, len(cosine_BB) - 1)
    directions = []
    for scores_BB in (wrong_BB, wrong_BB.T):
        negative_BH = scores_BB.topk(count, dim=-1).values
        loss_BH = F.softplus((negative_BH - positive_B1 + options.margin) / options.temperature)
        there = negative_BH.isfinite()
        directions.append(loss_BH.masked_fill(~there, 0).sum() / there.sum().clamp(min=1))
    return (directions[0] + directions[1]) / 2


def dmcl_terms(
    views: Views,
    scale: Tensor,
    same_BB: Tensor,
    temperature: float = 1.0,
    hard_negatives: HardNegatives | None = None,
) -> Tensor:
    """Return the five terms in the order of ``TERMS`` (T); hard negatives are in the three of the target."""
    fused_BD = F.normalize(views.text_BD + views.image_BD, dim=-1)
    terms = []
    for query_BD in (views.image_BD, views.text_BD, fused_BD):
        term = info_nce(query_BD, views.target_BD, scale, same_BB)
        if hard_negatives:
            term = term + hard_negatives.weight * hardest(query_BD, views.target_BD, same_BB, hard_negatives)
        terms.append(term)
    terms.append(info_nce(views.image_BD, views.text_BD, scale, same_BB))
    terms.append(disagreement(views, scale, temperature))
    return torch.stack(terms)


class TermWeights(nn.Module):
    """One learnable weight a term, softplus(w): the total is the weighted sum over the sum of weights."""

    def __init__(self, first: tuple[float, ...] = FIRST_WEIGHTS) -> None:
        super().__init__()
        self.raw_T = nn.Parameter(torch.tensor([math.log(math.expm1(weight)) for weight in first]))

    @property
    def weights(self) -> Tensor:
        """The weights (T) as they are now."""
        return F.softplus(self.raw_T)

    def forward(self, term_T: Tensor) -> Tensor:
        """Return the total."""
        return (self.weights * term_T).sum() / self.weights.sum()
