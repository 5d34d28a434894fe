"""A plain perceptron in the place of gate and experts, to tell ADaFuSE's structure from its size.

Shape suffixes: B batch, D feature.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from daitir.fusions.base import Fused
from daitir.fusions.networks.base import PairNetwork, first_log_scale, layer


class Mlp(PairNetwork):
    """z = normalise((t + v) / 2 + MLP([t; v])), two hidden layers; without ``residual`` the MLP alone.

    (t + v) / 2 is what ADaFuSE's experts add to where there is no gate. At 256 and 3,072 it has 11,802,881
    parameters.
    """

    SIZED_BY = ("layers.2.weight", 0)

    def __init__(
        self, width: int, hidden: int, dropout: float, residual: bool = True, views: str = "mean"
    ) -> None:
        super().__init__(width, views)
        self.residual = residual
        self.layers = nn.Sequential(
            layer(2 * width, hidden, dropout), layer(hidden, hidden, dropout), nn.Linear(hidden, width)
        )
        self.log_scale = first_log_scale()

    def fuse_pair(self, text_BD: Tensor, image_BD: Tensor) -> Fused:
        """Fuse each text with its image."""
        query_BD = self.layers(torch.cat([text_BD, image_BD], dim=-1))
        if self.residual:
            query_BD = (text_BD + image_BD) / 2 + query_BD
        return Fused(F.normalize(query_BD, dim=-1))
