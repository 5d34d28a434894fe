"""BLIP's retrieval features: projections of the first token of its vision model and of its text encoder.

Shape suffixes: B batch, T tokens, C channels, H height, W width, D feature.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import BlipForImageTextRetrieval

from daitir.encoders import BlipOptions
from daitir.encoders.hub import HubEncoder
from daitir.errors import DaitirError


class BlipEncoder(HubEncoder):
    """Uses ``BlipForImageTextRetrieval``, since no checkpoint holds the projections of ``BlipModel``."""

    def __init__(self, options: BlipOptions) -> None:
        side = options.image_size
        processing = {"size": {"height": side, "width": side}} if side else {}
        super().__init__(options, BlipForImageTextRetrieval, **processing)
        if side:
            resize_positions(self.network, options.model, side)
        self.width = self.network.config.image_text_hidden_size
        self.filler = self.tokenizer.pad_token_id

    def text_features(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the projected first token of the text encoder, without the image attended to."""
        hidden_BTD = self.network.text_encoder(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
        return self.network.text_proj(hidden_BTD[:, 0])

    def image_features(self, pixels_BCHW: Tensor) -> Tensor:
        """Return the projected first token of the vision model."""
        hidden_BTD = self.network.vision_model(pixel_values=pixels_BCHW).last_hidden_state
        return self.network.vision_proj(hidden_BTD[:, 0])


def resize_positions(model: Any, name: str, side: int) -> None:
    """Give a model position embeddings for images of ``side`` pixels, interpolated from its own (bicubic)."""
    embeddings = model.vision_model.embeddings
    patch, own = embeddings.patch_size, embeddings.position_embedding
    if side % patch:
        raise DaitirError(
            f"encoder {name} has patches of {patch} pixels, which do not divide image_size {side}"
        )
    patches_BTD = torch.empty(1, (side // patch) ** 2 + 1, own.shape[-1])
    with torch.no_grad():
        # Once, at the start, on the CPU and in float32, wherever and in whatever the model computes.
        embeddings.position_embedding = nn.Parameter(own.float().cpu())
        resized = embeddings.interpolate_pos_encoding(patches_BTD, side, side)
    embeddings.position_embedding = nn.Parameter(resized.to(own))
