"""Cross-attention: the text looks at all K images of a round, which nothing averages first.

Shape suffixes: B batch, D feature, K images, P projection, N heads, W width of a head (N * W = P).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from daitir.fusions.base import Fused
from daitir.fusions.networks.base import Dropout, FusionNetwork, first_log_scale, layer


class CrossAttention(FusionNetwork):
    """z = normalise(t + W x), x the projected text after some layers of attention over the K images.

    The order of the images does not matter. W starts at zero, so that an untrained network gives the text.
    At the default sizes and D = 256 it has 11,823,745 parameters.
    """

    SIZED_BY = ("project_text.weight", 1)

    def __init__(
        self, width: int, projection: int, heads: int, layers: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.width = width
        self.project_text = nn.Linear(width, projection)
        self.project_images = nn.Linear(width, projection)
        self.blocks = nn.ModuleList(Block(projection, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(projection)
        self.output = nn.Linear(projection, width)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        self.log_scale = first_log_scale()

    def forward(self, text_BD: Tensor, images_BKD: Tensor, round_B: Tensor) -> Fused:
        """Fuse each text with its K images."""
        text_BP, images_BKP = self.project_text(text_BD), self.project_images(images_BKD)
        for block in self.blocks:
            text_BP = block(text_BP, images_BKP)
        return Fused(F.normalize(text_BD + self.output(self.norm(text_BP)), dim=-1))


class Block(nn.Module):
    """x + attention(norm(x), images), then x + MLP(norm(x)): a pre-norm layer of a transformer."""

    def __init__(self, projection: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_text, self.norm_images, self.norm = (nn.LayerNorm(projection) for _ in range(3))
        self.query, self.key, self.value, self.join = (nn.Linear(projection, projection) for _ in range(4))
        self.mlp = nn.Sequential(layer(projection, hidden, dropout), nn.Linear(hidden, projection))
        self.dropout = Dropout(dropout)

    def forward(self, text_BP: Tensor, images_BKP: Tensor) -> Tensor:
        """Return the text after one look at the images."""
        text_BP = text_BP + self.dropout(self.join(self._look(text_BP, self.norm_images(images_BKP))))
        return text_BP + self.dropout(self.mlp(self.norm(text_BP)))

    def _look(self, text_BP: Tensor, images_BKP: Tensor) -> Tensor:
        query_BN1W = self.query(self.norm_text(text_BP)).unflatten(1, (self.heads, 1, -1))
        key_BNKW, value_BNKW = (
            project(images_BKP).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for project in (self.key, self.value)
        )
        return F.scaled_dot_product_attention(query_BN1W, key_BNKW, value_BNKW).flatten(1)
