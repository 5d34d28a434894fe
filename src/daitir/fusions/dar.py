"""DAR: text and images added with fixed weights that depend on the round alone."""

import torch
import torch.nn.functional as F
from torch import Tensor

from daitir.fusions.base import Fused, use_images
from daitir.fusions.options import DarOptions


class DarFusion:
    """F_r = alpha t_r + beta sum_k v_{r,k}, alpha + beta = 1 (DAR, section 3.3, feature fusion)."""

    def __init__(self, options: DarOptions) -> None:
        self.options = options

    def fuse(self, text_BD: Tensor, images_BKD: Tensor | None, round_B: Tensor) -> Fused:
        """Return the weighted sums, normalised; summed, K images weigh K times as much as one."""
        images_BKD = use_images(images_BKD, self.options.images)
        image_BD = images_BKD.sum(dim=1) if self.options.aggregate == "sum" else images_BKD.mean(dim=1)
        alpha = [text_weight(self.options.alpha, int(round_)) for round_ in round_B]
        alpha_B1 = torch.tensor(alpha, dtype=text_BD.dtype, device=text_BD.device)[:, None]
        return Fused(F.normalize(alpha_B1 * text_BD + (1 - alpha_B1) * image_BD, dim=-1))


def text_weight(schedule: dict[int, float], round_: int) -> float:
    """Weight of the text at a round: that of the last entry of the schedule at or before it."""
    return schedule[max(start for start in schedule if start <= round_)]
