"""How good an encoder is on held-out dialogues, measured as the pipeline ranks: by its own features.

Shape suffixes: S samples, N candidates, D feature.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from daitir.encoders.base import DualEncoder
from daitir.images import in_threads
from daitir.metrics import recall_at, reciprocal_rank
from daitir.scoring import rank_targets
from daitir.tuning.data import ImageFiles, Sample

HITS = 10


def encode_targets(encoder: DualEncoder, files: ImageFiles, targets: list[str]) -> Tensor:
    """Return the features of some target images (N x D, unit length)."""
    pixels = in_threads(files.target, targets, encoder.options.workers)
    return torch.from_numpy(encoder.encode_pixels(pixels))


def measure(
    encoder: DualEncoder, files: ImageFiles, samples: list[Sample], targets: list[str], target_ND: Tensor
) -> dict[str, float | None]:
    """Measure samples among the images ``targets``, whose features are ``target_ND``.

    Recall@10 and MRR are of normalise(text + image), or of the text where samples have no image.
    """
    place = {target: row for row, target in enumerate(targets)}
    target_S = torch.tensor([place[sample.target] for sample in samples])
    text_SD = torch.from_numpy(encoder.encode_texts([sample.text for sample in samples]).features)
    own_SD = target_ND[target_S]
    text_recall, text_mrr = _quality(text_SD, target_ND, target_S)
    found: dict[str, float | None] = {
        "recall_at_10": text_recall,
        "mrr": text_mrr,
        "text_recall_at_10": text_recall,
        "image_recall_at_10": None,
        "text_image_cosine": None,
        "text_target_cosine": _cosine(text_SD, own_SD),
        "image_target_cosine": None,
    }
    if samples[0].picture is None:
        return found
    pixels = in_threads(files.picture, (sample.picture for sample in samples), encoder.options.workers)
    image_SD = torch.from_numpy(encoder.encode_pixels(pixels))
    recall, mrr = _quality(F.normalize(text_SD + image_SD, dim=-1), target_ND, target_S)
    return found | {
        "recall_at_10": recall,
        "mrr": mrr,
        "image_recall_at_10": _quality(image_SD, target_ND, target_S)[0],
        "text_image_cosine": _cosine(text_SD, image_SD),
        "image_target_cosine": _cosine(image_SD, own_SD),
    }


def _quality(query_SD: Tensor, target_ND: Tensor, target_S: Tensor) -> tuple[float, float]:
    rank_S = rank_targets(query_SD, target_ND, target_S).rank_Q.numpy()
    return float(np.mean(recall_at(rank_S, HITS))), float(np.mean(reciprocal_rank(rank_S)))


def _cosine(one_SD: Tensor, other_SD: Tensor) -> float:
    return (one_SD.double() * other_SD.double()).sum(dim=-1).mean().item()
