"""BEiT-3 as a dual encoder (Wang et al. 2023, "Image as a Foreign Language"), for inference.

A Magneto transformer: pre-norm, and one more norm before each output projection (sub-LayerNorm). It is
multiway: every projection, feed-forward and norm exists twice, A for images and B for texts. Image and text
are read apart; the first token of each, normalised and projected, is the feature. Names are those of the
published checkpoints, so that a checkpoint fits by name.

Shape suffixes: B batch, T tokens, C channels, H height, W width, D model, N heads, E of one head.
"""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from daitir.options import Options

Way = Literal["A", "B"]
IMAGE: Way = "A"
TEXT: Way = "B"
FIRST_POSITION = 2  # positions are counted as fairseq does; rows 0 and 1 are never read


class Beit3Size(Options):
    """The sizes of a model, as they stand in its ``config.json``. Base: 12 layers, 768 wide, 12 heads."""

    model_type: Literal["beit3"] = "beit3"
    image_size: int = Field(ge=1)
    patch_size: int = Field(ge=1)
    layers: int = Field(ge=1)
    width: int = Field(ge=1)
    heads: int = Field(ge=1)
    hidden: int = Field(ge=1)
    vocabulary: int = Field(ge=5)
    text_positions: int = Field(ge=FIRST_POSITION + 1)

    @model_validator(mode="after")
    def _divides(self) -> "Beit3Size":
        if self.image_size % self.patch_size or self.width % self.heads:
            raise ValueError("patch_size must divide image_size, and heads the width")
        return self

    @property
    def image_positions(self) -> int:
        """Rows of the position embeddings of images: patches, class token, and two that are never read."""
        return (self.image_size // self.patch_size) ** 2 + 1 + FIRST_POSITION


class Multiway(nn.ModuleDict):
    """Two modules of one shape: ``A`` for images, ``B`` for texts."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__({IMAGE: make(), TEXT: make()})


def linear(size: Beit3Size) -> Multiway:
    """Return projections from model width to model width."""
    return Multiway(lambda: nn.Linear(size.width, size.width))


def norm(size: Beit3Size) -> Multiway:
    """Return layer norms of the model width."""
    return Multiway(lambda: nn.LayerNorm(size.width))


class Attention(nn.Module):
    """Self-attention with a norm before its output projection."""

    def __init__(self, size: Beit3Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (linear(size) for _ in range(4))
        self.inner_attn_ln = norm(size)

    def forward(self, x_BTD: Tensor, way: Way, mask_B11T: Tensor | None) -> Tensor:
        """Return what each token (B x T x D) sees in the tokens where the mask is true."""
        query, key, value = (
            project[way](x_BTD).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        seen_BNTE = F.scaled_dot_product_attention(query, key, value, attn_mask=mask_B11T)
        seen_BTD = seen_BNTE.transpose(1, 2).flatten(2)
        return self.out_proj[way](self.inner_attn_ln[way](seen_BTD))


class FeedForward(nn.Module):
    """Two projections with a norm before the second."""

    def __init__(self, size: Beit3Size) -> None:
        super().__init__()
        self.fc1 = nn.Linear(size.width, size.hidden)
        self.ffn_layernorm = nn.LayerNorm(size.hidden)
        self.fc2 = nn.Linear(size.hidden, size.width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return the tokens (B x T x D), each transformed on its own."""
        return self.fc2(self.ffn_layernorm(F.gelu(self.fc1(x_BTD))))


class Layer(nn.Module):
    """Attention and feed-forward, each on normalised input and added to it."""

    def __init__(self, size: Beit3Size) -> None:
        super().__init__()
        self.self_attn_layer_norm = norm(size)
        self.self_attn = Attention(size)
        self.final_layer_norm = norm(size)
        self.ffn = Multiway(lambda: FeedForward(size))

    def forward(self, x_BTD: Tensor, way: Way, mask_B11T: Tensor | None) -> Tensor:
        """Return the tokens (B x T x D) after both steps."""
        x_BTD = x_BTD + self.self_attn(self.self_attn_layer_norm[way](x_BTD), way, mask_B11T)
        return x_BTD + self.ffn[way](self.final_layer_norm[way](x_BTD))


class Transformer(nn.Module):
    """Position embeddings, layers, and the last norm."""

    def __init__(self, size: Beit3Size) -> None:
        super().__init__()
        rows = {IMAGE: size.image_positions, TEXT: size.text_positions}
        self.embed_positions = nn.ModuleDict({way: nn.Embedding(rows[way], size.width) for way in rows})
        self.layers = nn.ModuleList(Layer(size) for _ in range(size.layers))
        self.layer_norm = norm(size)

    def forward(self, x_BTD: Tensor, way: Way, mask_B11T: Tensor | None = None) -> Tensor:
        """Return the tokens (B x T x D), each with its place, after all layers."""
        places_T = torch.arange(x_BTD.shape[1], device=x_BTD.device) + FIRST_POSITION
        x_BTD = x_BTD + self.embed_positions[way](places_T)
        for layer in self.layers:
            x_BTD = layer(x_BTD, way, mask_B11T)
        return self.layer_norm[way](x_BTD)


class VisionEmbedding(nn.Module):
    """Patches, with the class token before them."""

    def __init__(self, size: Beit3Size) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, size.width, size.patch_size, stride=size.patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, size.width))  # of pretraining, never read here

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        """Return the class token and the patches (B x T x D)."""
        patches_BTD = self.proj(pixels_BCHW).flatten(2).transpose(1, 2)
        return torch.cat([self.cls_token.expand(len(patches_BTD), -1, -1), patches_BTD], dim=1)


class Trunk(nn.Module):
    """Embeddings of both kinds and the transformer that both go through."""

    def __init__(self, size: Beit3Size) -> None:
        super().__init__()
        self.text_embed = nn.Embedding(size.vocabulary, size.width)
        self.vision_embed = VisionEmbedding(size)
        self.encoder = Transformer(size)


class Beit3(nn.Module):
    """The trunk and a projection for each side; features are as wide as the model."""

    def __init__(self, size: Beit3Size) -> None:
        super().__init__()
        self.beit3 = Trunk(size)
        self.language_head = nn.Linear(size.width, size.width, bias=False)
        self.vision_head = nn.Linear(size.width, size.width, bias=False)
        self.logit_scale = nn.Parameter(torch.zeros(()))  # of the training loss, never read here

    def text_features(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return features (B x D) of texts; ``mask_BT`` is 1 where a text is and 0 behind its end."""
        mask_B11T = mask_BT[:, None, None, :].bool()
        hidden_BTD = self.beit3.encoder(self.beit3.text_embed(ids_BT), TEXT, mask_B11T)
        return self.language_head(hidden_BTD[:, 0])

    def image_features(self, pixels_BCHW: Tensor) -> Tensor:
        """Return features (B x D) of images."""
        hidden_BTD = self.beit3.encoder(self.beit3.vision_embed(pixels_BCHW), IMAGE)
        return self.vision_head(hidden_BTD[:, 0])


def empty_network(size: Beit3Size) -> Beit3:
    """Return a network whose weights have names and shapes but no memory yet."""
    with torch.device("meta"):
        return Beit3(size)
