"""What ranks of a system are made of: the queries of its fusion, and the table of where targets stand."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from daitir.errors import DaitirError
from daitir.fusions import FusionOptions, load_fusion
from daitir.fusions.base import Fused, fuse_in_blocks, mean_image, use_images
from daitir.fusions.options import TextOptions
from daitir.options import Options
from daitir.samples import Samples
from daitir.scoring import Standing

SEED_OF_UNTRAINED = 0


class RankOptions(Options):
    """The fusion."""

    code: str
    fusion: FusionOptions


def fuse(options: FusionOptions, samples: Samples, weights: Path | None = None) -> Fused:
    """Return the queries that a fusion makes of all samples; one that is not finite is refused."""
    text_MD, round_M = torch.from_numpy(samples.text_MD), torch.from_numpy(samples.round_M)
    fused = fuse_in_blocks(load_fusion(options, weights).fuse, text_MD, images_of(samples), round_M)
    require_finite(fused, samples)
    return fused


def images_of(samples: Samples) -> torch.Tensor | None:
    """Return the images of samples, if they have any."""
    return None if samples.images_MKD is None else torch.from_numpy(samples.images_MKD)


def require_finite(fused: Fused, samples: Samples) -> None:
    """Refuse a fusion that gives a query which is no number."""
    broken = (~fused.query_BD.isfinite().all(dim=1)).nonzero().flatten().tolist()
    if broken:
        raise DaitirError(
            f"the fusion gives {len(broken)} queries that are not finite, the first in round"
            f" {samples.round_M[broken[0]]} of {samples.dialogue_ids[broken[0]]!r}: train it again"
        )


def agreement(options: FusionOptions, samples: Samples) -> np.ndarray | None:
    """cos(text, mean image) of each query; None where no images are looked at."""
    images_MKD = images_of(samples)
    if isinstance(options, TextOptions) or images_MKD is None:
        return None
    seen_MKD = use_images(images_MKD, options.images)
    image_MD = fuse_in_blocks(lambda images_BKD: Fused(mean_image(images_BKD)), seen_MKD).query_BD
    return np.einsum("md,md->m", samples.text_MD, image_MD.numpy())


def as_frame(
    options: FusionOptions, samples: Samples, seed: int, fused: Fused, standing: Standing
) -> pd.DataFrame:
    """Return the columns of the ranks table; a missing gate, router or similarity is null."""
    return pd.DataFrame(
        {
            "dialogue_id": samples.dialogue_ids,
            "round": samples.round_M,
            "seed": seed,
            "target": samples.targets,
            "rank": standing.rank_Q.numpy(),
            "ties": standing.ties_Q.numpy(),
            "target_score": standing.target_score_Q.numpy(),
            "top_keys": list(keys_at(samples, standing.best_QT.numpy())),
            "top_scores": list(standing.best_score_QT.numpy()),
            "gate": None if fused.gate_B is None else fused.gate_B.numpy(),
            "router": None if fused.router_BE is None else list(fused.router_BE.numpy()),
            "similarity": agreement(options, samples),
        }
    )


def keys_at(samples: Samples, place_QT: np.ndarray) -> np.ndarray:
    """Return the keys of candidates at some places of the corpus, as texts."""
    own, inverse = np.unique(place_QT, return_inverse=True)
    texts = [name.decode() for name in samples.corpus.names[own].tolist()]
    return np.array(texts, dtype=object)[inverse].reshape(place_QT.shape)
