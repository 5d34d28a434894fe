"""BEiT-3's features: the first token of image and text, projected by the heads of its retrieval models.

A model directory holds ``config.json`` (sizes), ``model.safetensors`` (published names) and the tokenizer.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import XLMRobertaTokenizer

from daitir.compute import call_loader, require_filled, require_vocabulary
from daitir.encoders import Beit3Options
from daitir.encoders.base import DualEncoder
from daitir.encoders.hub import require_kind
from daitir.encoders.networks.beit3 import FIRST_POSITION, Beit3, Beit3Size, empty_network
from daitir.errors import DaitirError

MEAN = STD = 0.5  # of every colour


@dataclass(frozen=True)
class SquarePixels:
    """Images brought to one square, colours to -1 to 1."""

    side: int

    def __call__(self, images: list[Image.Image]) -> np.ndarray:
        """Return RGB images as the model takes them (B x C x H x W float32)."""
        square = (self.side, self.side)
        resized = [np.asarray(image.resize(square, Image.Resampling.BICUBIC)) for image in images]
        squares_BHWC = np.stack(resized).astype(np.float32)
        return ((squares_BHWC / 255 - MEAN) / STD).transpose(0, 3, 1, 2)


class Beit3Encoder(DualEncoder):
    """The dual encoder of BEiT-3's retrieval models (ITC pretrained, or tuned on COCO or Flickr30k)."""

    def __init__(self, options: Beit3Options) -> None:
        super().__init__(options)
        folder = Path(options.model)
        self.size = read_size(folder)
        self.tokenizer = call_loader(XLMRobertaTokenizer.from_pretrained, options.model)
        require_vocabulary(options.model, self.tokenizer)
        if len(self.tokenizer) > self.size.vocabulary:
            raise DaitirError(
                f"model {folder} has {self.size.vocabulary} word embeddings and a tokenizer of"
                f" {len(self.tokenizer)} tokens: convert the checkpoint again, with its own tokenizer"
            )
        with self.memory():
            self.network = load_network(folder, self.size).to(self.device, self.dtype).eval()
        self.width = self.size.width
        self.most_tokens = self.size.text_positions - FIRST_POSITION
        self.filler = self.tokenizer.pad_token_id
        self.side = side = self.size.image_size
        self.pixels_of = SquarePixels(side)
        half = " ".join([f"{MEAN:.2f}"] * 3)
        self.preprocessing = f"{side} x {side}, bicubic, mean {half}, std {half}"

    def tokenize(self, text: str, limit: int | None = None) -> list[int]:
        """Return the tokens of a text with its begin and end; with ``limit``, cut to that many in all."""
        if limit is None:
            return self.tokenizer(text, verbose=False).input_ids
        return self.tokenizer(text, truncation=True, max_length=limit).input_ids

    def text_features(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the projected first token."""
        return self.network.text_features(ids_BT, mask_BT)

    def image_features(self, pixels_BCHW: Tensor) -> Tensor:
        """Return the projected class token."""
        return self.network.image_features(pixels_BCHW)


def read_size(folder: Path) -> Beit3Size:
    """Return the sizes in a model's ``config.json``."""
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DaitirError(
            f"model {folder} has no readable config.json ({error}): make the folder with"
            " `python -m daitir.convert beit3`"
        ) from None
    require_kind(str(folder), found.get("model_type") if isinstance(found, dict) else None, "beit3")
    return Beit3Size.parse(found, str(path))


def load_network(folder: Path, size: Beit3Size) -> Beit3:
    """Return the network with its weights; any that the file lacks or has in another shape are refused."""
    try:
        tensors = load_file(folder / "model.safetensors")
    except (SafetensorError, OSError) as error:
        raise DaitirError(
            f"model {folder} has no readable model.safetensors ({error}): convert it again"
        ) from None
    network = empty_network(size)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    wrong = [name for name, shape in shapes.items() if name not in tensors or tensors[name].shape != shape]
    require_filled(str(folder), network, wrong)
    network.load_state_dict({name: tensors[name] for name in shapes}, assign=True)
    return network
