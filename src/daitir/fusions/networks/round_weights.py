"""DAR with trained weights, to tell what a better schedule alone would bring.

Shape suffixes: B batch, D feature, K images, R rounds.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from daitir.fusions.base import Fused
from daitir.fusions.networks.base import FusionNetwork, first_log_scale


class RoundWeights(FusionNetwork):
    """z = normalise(alpha_r t + beta_r mean_k v_k), alpha and beta positive and trained, two numbers a round.

    The logarithms are trained, from 0 on; of one dimension each, they do not decay. Rounds after the last
    have the last one's weights. The gate is alpha / (alpha + beta), the weight of the text.
    """

    def __init__(self, width: int, rounds: int) -> None:
        super().__init__()
        self.log_alpha_R = nn.Parameter(torch.zeros(rounds))
        self.log_beta_R = nn.Parameter(torch.zeros(rounds))
        self.log_scale = first_log_scale()

    def forward(self, text_BD: Tensor, images_BKD: Tensor, round_B: Tensor) -> Fused:
        """Fuse each text with the mean of its images, which is not brought back to unit length, as in DAR."""
        round_B = round_B.clamp(max=len(self.log_alpha_R) - 1)
        log_alpha_B, log_beta_B = self.log_alpha_R[round_B], self.log_beta_R[round_B]
        # Only the ratio of the two counts, and this one cannot overflow.
        gate_B = torch.sigmoid(log_alpha_B - log_beta_B)
        query_BD = gate_B[:, None] * text_BD + (1 - gate_B[:, None]) * images_BKD.mean(dim=1)
        return Fused(F.normalize(query_BD, dim=-1), gate_B)
