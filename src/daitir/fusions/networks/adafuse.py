"""ADaFuSE: adaptive diffusion-text fusion with semantic-aware experts (Zhang et al., 2026).

Shape suffixes: B batch, D feature, P projection, J joint (2P), H hidden, E experts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from daitir.fusions.base import Fused
from daitir.fusions.networks.base import Dropout, PairNetwork, first_log_scale, layer


class Adafuse(PairNetwork):
    """z = normalise(lambda t + (1 - lambda) v + residual): a gate weighs the views, experts refine their sum.

    At the published sizes (256, 512, 2048, 4) it has 11,812,614 parameters, the temperature of its loss
    included. Without its gate (``branches: experts``) lambda is 1/2; without its experts (``branches:
    gate``) the residual is 0.
    """

    SIZED_BY = ("project_text.0.weight", 1)

    def __init__(
        self,
        width: int,
        projection: int,
        hidden: int,
        experts: int,
        dropout: float,
        branches: str = "both",
        routing: str = "dense",
        views: str = "mean",
    ) -> None:
        super().__init__(width, views)
        joint = 2 * projection
        self.project_text = layer(width, projection, dropout)
        self.project_image = layer(width, projection, dropout)
        self.gate = Gate(joint, hidden, dropout) if branches != "experts" else None
        self.mixture = (
            Mixture(joint, hidden, width, experts, dropout, routing) if branches != "gate" else None
        )
        self.log_scale = first_log_scale()

    def fuse_pair(self, text_BD: Tensor, image_BD: Tensor) -> Fused:
        """Fuse the text feature with the image feature; the gate weighs the TEXT (ADaFuSE, Eq. 4-5)."""
        joint_BJ = torch.cat([self.project_text(text_BD), self.project_image(image_BD)], dim=-1)
        gate_B1 = self.gate(joint_BJ) if self.gate else None
        residual_BD, router_BE = self.mixture(joint_BJ) if self.mixture else (0, None)
        text_weight = 0.5 if gate_B1 is None else gate_B1
        query_BD = text_weight * text_BD + (1 - text_weight) * image_BD + residual_BD
        gate_B = None if gate_B1 is None else gate_B1.squeeze(-1)
        return Fused(F.normalize(query_BD, dim=-1), gate_B, router_BE)


class Gate(nn.Module):
    """lambda = sigmoid(W_2 dropout(GELU(W_1 u))) in (0, 1) (ADaFuSE, Eq. 4)."""

    def __init__(self, joint: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(layer(joint, hidden, dropout), nn.Linear(hidden, 1))

    def forward(self, joint_BJ: Tensor) -> Tensor:
        """Return gate_B1."""
        return torch.sigmoid(self.layers(joint_BJ))


class Mixture(nn.Module):
    """A mixture of experts: a router weighs them, one shared layer leads to the residual.

    ``dense``: every expert speaks (ADaFuSE). ``top1``: only the one with the greatest weight does, with that
    weight, through which the router learns (Switch Transformers, Eq. 2).
    """

    def __init__(
        self, joint: int, hidden: int, width: int, experts: int, dropout: float, routing: str = "dense"
    ) -> None:
        super().__init__()
        self.routing = routing
        self.experts = nn.ModuleList(layer(joint, hidden, dropout) for _ in range(experts))
        self.router = nn.Sequential(
            nn.Linear(joint, hidden // 4), nn.GELU(), nn.Linear(hidden // 4, experts), nn.Softmax(dim=-1)
        )
        self.residual = nn.Sequential(nn.Linear(hidden, width), Dropout(dropout))

    def forward(self, joint_BJ: Tensor) -> tuple[Tensor, Tensor]:
        """Return residual_BD, and router_BE: how much each expert is asked; with ``top1`` which one is."""
        weight_BE = asked_BE = self.router(joint_BJ)
        if self.routing == "top1":
            asked_BE = F.one_hot(weight_BE.argmax(dim=-1), weight_BE.shape[-1]).to(weight_BE.dtype)
            weight_BE = weight_BE * asked_BE
        mixed_BH = joint_BJ.new_zeros(())
        for expert, weight_B1 in zip(self.experts, weight_BE.split(1, dim=1), strict=True):
            mixed_BH = torch.addcmul(mixed_BH, weight_B1, expert(joint_BJ))
        return self.residual(mixed_BH), asked_BE
