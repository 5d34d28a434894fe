"""BLIP's retrieval features: projections of the first token of its vision model and of its text encoder.

Shape suffixes: B batch, T tokens, C channels, H height, W width, D feature.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor, AutoTokenizer, BlipForImageTextRetrieval

from daitir.compute import (
    by_padded_length,
    call_loader,
    find_device,
    load_weights,
    pad_batch,
    padded_length,
    use_one_thread,
)
from daitir.encoders import BlipOptions, EncodedTexts
from daitir.errors import DaitirError

LENGTH_STEP = 8  # texts are padded to a multiple of it, which depends on the text alone


class BlipEncoder:
    """Uses ``BlipForImageTextRetrieval``, since no checkpoint holds the projections of ``BlipModel``."""

    def __init__(self, options: BlipOptions) -> None:
        use_one_thread()
        self.options = options
        self.device = find_device(options.device)
        hub = {"revision": options.revision}
        self.tokenizer = call_loader(AutoTokenizer.from_pretrained, options.model, **hub)
        # The PIL processor even where torchvision is installed: pixels must not depend on what else is there.
        self.processor = call_loader(AutoImageProcessor.from_pretrained, options.model, backend="pil", **hub)
        dtype = getattr(torch, options.dtype)
        self.model = load_weights(BlipForImageTextRetrieval, options.model, dtype=dtype, **hub).to(
            self.device
        )

    def encode_texts(self, texts: list[str]) -> EncodedTexts:
        """Return features of texts; equal texts are encoded once."""
        different = sorted(set(texts))
        features_ND, truncated_N = self._encode_different(different)
        row = {text: place for place, text in enumerate(different)}
        rows = [row[text] for text in texts]
        return EncodedTexts(features_ND[rows], truncated_N[rows])

    def _encode_different(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        whole = [self.tokenizer(text, verbose=False).input_ids for text in texts]
        limit = self._limit()
        truncated = np.array([len(ids) > limit for ids in whole], dtype=bool)
        tokens = [
            self.tokenizer(text, truncation=True, max_length=limit).input_ids if cut else ids
            for text, ids, cut in zip(texts, whole, truncated, strict=True)
        ]
        width = self.model.config.image_text_hidden_size
        features_ND = np.empty((len(texts), width), dtype=np.float32)
        for places in by_padded_length([len(ids) for ids in tokens], LENGTH_STEP, self.options.batch_size):
            rows = pad_batch(places, self.options.batch_size, self.device)
            features_ND[places] = self._encode_tokens([tokens[place] for place in rows])[: len(places)]
        return features_ND, truncated

    def _limit(self) -> int:
        limit, room = self.options.max_tokens, self.model.config.text_config.max_position_embeddings
        if limit > room:
            raise DaitirError(
                f"encoder {self.options.model} reads {room} tokens at most, lower max_tokens: {limit}"
            )
        return limit

    @torch.inference_mode()
    def _encode_tokens(self, rows: list[list[int]]) -> np.ndarray:
        length = padded_length(max(map(len, rows)), LENGTH_STEP)
        length = min(length, self.model.config.text_config.max_position_embeddings)
        filler = self.tokenizer.pad_token_id
        ids_BT = torch.tensor([row + [filler] * (length - len(row)) for row in rows], device=self.device)
        mask_BT = torch.tensor(
            [[1] * len(row) + [0] * (length - len(row)) for row in rows], device=self.device
        )
        hidden_BTD = self.model.text_encoder(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
        return _unit(self.model.text_proj(hidden_BTD[:, 0]))

    def pixels(self, image: Image.Image) -> np.ndarray:
        """Return an RGB image as the model takes it (C x H x W float32); threads may call this at once."""
        return self.processor(images=image, return_tensors="np")["pixel_values"][0]

    def encode_images(self, images: Iterable[Image.Image]) -> np.ndarray:
        """Return features (N x D float32, unit length) of RGB images."""
        return self.encode_pixels(map(self.pixels, images))

    def encode_pixels(self, pixels: Iterable[np.ndarray]) -> np.ndarray:
        """Return features (N x D float32, unit length) of images prepared by ``pixels``."""
        batches = list(self._encode_batches(iter(pixels)))
        return (
            np.concatenate(batches)
            if batches
            else np.empty((0, self.model.config.image_text_hidden_size), "f4")
        )

    @torch.inference_mode()
    def _encode_batches(self, pixels: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        while batch := list(islice(pixels, self.options.batch_size)):
            rows = pad_batch(batch, self.options.batch_size, self.device)
            pixels_BCHW = torch.from_numpy(np.stack(rows)).to(self.device, self.model.dtype)
            hidden_BTD = self.model.vision_model(pixel_values=pixels_BCHW).last_hidden_state
            yield _unit(self.model.vision_proj(hidden_BTD[:, 0]))[: len(batch)]


def _unit(features_BD: Tensor) -> np.ndarray:
    return F.normalize(features_BD.float(), dim=-1).cpu().numpy()
