"""SigLIP's features (Zhai et al. 2023; SigLIP 2, Tschannen et al. 2025).

Shape suffixes: B batch, T tokens, C channels, H height, W width.
"""

from torch import Tensor
from transformers import SiglipModel

from daitir.encoders import SiglipOptions
from daitir.encoders.hub import HubEncoder


class SiglipEncoder(HubEncoder):
    """Reads texts as SigLIP was trained to: in lower case, with an end, always padded to all its places.

    There is no attention mask and the last place is the feature, so the padding counts and must be whole. The
    published tokenizers differ in what they do of this by themselves (that of SigLIP 2 keeps upper case).
    """

    def __init__(self, options: SiglipOptions) -> None:
        super().__init__(options, SiglipModel)
        self.width = self.network.config.text_config.projection_size
        self.filler = self.tokenizer.pad_token_id
        self.length_step = self.most_tokens

    def tokenize(self, text: str, limit: int | None = None) -> list[int]:
        """Return the tokens of a text with its end; with ``limit``, cut to that many in all."""
        ids = self.tokenizer(text.lower(), add_special_tokens=False, verbose=False).input_ids
        kept = ids if limit is None else ids[: limit - 1]
        return [*kept, self.tokenizer.eos_token_id]

    def text_features(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the projected last token."""
        return self.network.get_text_features(input_ids=ids_BT).pooler_output

    def image_features(self, pixels_BCHW: Tensor) -> Tensor:
        """Return what the attention pool makes of all patches."""
        return self.network.get_image_features(pixel_values=pixels_BCHW).pooler_output
