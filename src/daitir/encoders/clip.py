"""CLIP's features (Radford et al. 2021): the end-of-text token and the class token, projected.

Shape suffixes: B batch, T tokens, C channels, H height, W width.
"""

from torch import Tensor
from transformers import CLIPModel

from daitir.encoders import ClipOptions
from daitir.encoders.hub import HubEncoder


class ClipEncoder(HubEncoder):
    """A text is read from left to right up to its end-of-text token, so what stands behind cannot matter."""

    def __init__(self, options: ClipOptions) -> None:
        super().__init__(options, CLIPModel)
        self.width = self.network.config.projection_dim
        # The model takes the first end-of-text token of a row, in old configs the first of the highest id:
        # filled up with that token itself, both find the text's own.
        self.filler = self.tokenizer.eos_token_id

    def text_features(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the projected end-of-text token; the causal mask hides the padding."""
        return self.network.get_text_features(input_ids=ids_BT).pooler_output

    def image_features(self, pixels_BCHW: Tensor) -> Tensor:
        """Return the projected class token."""
        return self.network.get_image_features(pixel_values=pixels_BCHW).pooler_output
