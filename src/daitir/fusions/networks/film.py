"""FiLM: the image modulates the text (feature-wise linear modulation, Perez et al., 2018, Eq. 2).

Shape suffixes: B batch, D feature.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from daitir.fusions.base import Fused
from daitir.fusions.networks.base import PairNetwork, first_log_scale, layer


class Film(PairNetwork):
    """z = normalise((1 + gamma(v)) * t + beta(v)), element by element; [gamma; beta] is a perceptron of v.

    Its last layer starts at zero, so that an untrained network gives the text. At 256 and 3,072 it has
    11,803,137 parameters.
    """

    SIZED_BY = ("modulation.0.0.weight", 1)

    def __init__(self, width: int, hidden: int, dropout: float, views: str = "mean") -> None:
        super().__init__(width, views)
        last = nn.Linear(hidden, 2 * width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.modulation = nn.Sequential(layer(width, hidden, dropout), layer(hidden, hidden, dropout), last)
        self.log_scale = first_log_scale()

    def fuse_pair(self, text_BD: Tensor, image_BD: Tensor) -> Fused:
        """Fuse each text with its image."""
        gamma_BD, beta_BD = self.modulation(image_BD).chunk(2, dim=-1)
        return Fused(F.normalize((1 + gamma_BD) * text_BD + beta_BD, dim=-1))
