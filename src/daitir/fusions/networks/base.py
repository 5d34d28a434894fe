"""What the trainer trains: networks that fuse, with the temperature of their loss.

Shape suffixes: B batch, D feature, K images.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from daitir.fusions.base import Fused
from daitir.fusions.views import ViewAttention, average_views

FIRST_SCALE = 50.0
LEVELS = 2**16


class FusionNetwork(nn.Module, ABC):
    """A network that fuses texts with their images.

    ``width`` is that of the features, None where any will do; ``SIZED_BY`` names a weight, and which of its
    dimensions shows that width. exp(``log_scale``) is the scale of the logits in the contrastive loss; the
    query does not depend on it.
    """

    SIZED_BY: ClassVar[tuple[str, int] | None] = None
    width: int | None = None
    log_scale: nn.Parameter

    @abstractmethod
    def forward(self, text_BD: Tensor, images_BKD: Tensor, round_B: Tensor) -> Fused:
        """Return the queries; all features are unit vectors, ``round_B`` counts from 0."""


class PairNetwork(FusionNetwork):
    """A network that fuses the text with one image, and sees K as its ``views`` say."""

    def __init__(self, width: int, views: str = "mean") -> None:
        super().__init__()
        self.width, self.views = width, views
        self.attention = ViewAttention(width) if views == "attention" else None

    @abstractmethod
    def fuse_pair(self, text_BD: Tensor, image_BD: Tensor) -> Fused:
        """Fuse each text with its image."""

    def forward(self, text_BD: Tensor, images_BKD: Tensor, round_B: Tensor) -> Fused:
        """Fuse each text with its K images, or with the one image that is their mean."""
        images = images_BKD.shape[1]
        if self.views == "each":
            fused = self.fuse_pair(text_BD.repeat_interleave(images, dim=0), images_BKD.flatten(0, 1))
            return average_views(fused, images)
        image_BD = images_BKD.squeeze(1) if self.attention is None else self.attention(text_BD, images_BKD)
        return self.fuse_pair(text_BD, image_BD)


def first_log_scale() -> nn.Parameter:
    """Return the temperature before training: exp of it is 50."""
    return nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))


def layer(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Return dropout(GELU(W x + b))."""
    return nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), Dropout(dropout))


class Dropout(nn.Dropout):
    """Dropout that on a CPU draws 16 bits an element, which is faster than torch's own.

    There the share is rounded to a multiple of 2^-16.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, in training without a share ``p`` of its elements and the others the larger."""
        if not self.training or self.p == 0 or input.device.type != "cpu":
            return super().forward(input)
        dropped = min(round(self.p * LEVELS), LEVELS - 1)
        factor = _draw_levels(input.shape).ge_(dropped - LEVELS // 2).mul_(LEVELS / (LEVELS - dropped))
        return input * factor.to(input.dtype)


def _draw_levels(shape: torch.Size) -> Tensor:
    """Return whole numbers from -2^15 to 2^15 - 1, as float32; four come from one draw of 64 bits."""
    drawn = torch.empty(-(-shape.numel() // 4), dtype=torch.int64, device="cpu").random_(-(2**63), None)
    return drawn.view(torch.int16)[: shape.numel()].to(torch.float32).view(shape)
