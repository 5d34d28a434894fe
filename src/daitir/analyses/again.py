"""Ranking again from stored features: another fusion, other images, other texts; no model is loaded.

Variants of plain fusions (image, add, dar) are weighted sums of the same features and ranked together, by
`daitir.analyses.mixtures`; a trained one has queries of its own each time. What several analyses of a job
ask for is ranked once.

Shape suffixes: M samples (one a dialogue and round), K generated images, D feature.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from daitir.analyses.mixtures import Pile, rank_mixtures
from daitir.analyses.subject import Subject
from daitir.analyses.variants import Asked, Disturb, Variant, images_of, samples_of
from daitir.fusions import TRAINED_KINDS, FusionOptions, load_fusion
from daitir.fusions.base import Fused, fuse_in_blocks, use_images
from daitir.fusions.dar import text_weight
from daitir.fusions.options import AddOptions, DarOptions, ImageOptions
from daitir.samples import Samples, Sources
from daitir.scoring import count_ranks
from daitir.weights import read_weights

SEED_OF_UNTRAINED = 0


def rank_variants(subject: Subject, variants: Iterable[Variant]) -> Iterator[tuple[Variant, pd.DataFrame]]:
    """Rank as the rank stage does: dialogue, round, seed, rank and gate of each query and seed."""
    wanted = list(variants)
    missing: dict[Sources, dict[Asked, Variant]] = {}
    for variant in wanted:
        if variant.asked not in subject.ranked:
            missing.setdefault(variant.sources, {})[variant.asked] = variant
    for sources, own in missing.items():
        for variant, frame in _rank(samples_of(sources), list(own.values())):
            subject.ranked[variant.asked] = frame
    for variant in wanted:
        yield variant, subject.ranked[variant.asked]


def _rank(samples: Samples, variants: list[Variant]) -> Iterator[tuple[Variant, pd.DataFrame]]:
    disturbed = {disturb: disturb(samples) for disturb in {variant.disturb: None for variant in variants}}
    plain = {one.asked: one for one in variants if one.fusion.kind not in TRAINED_KINDS}
    for asked, rank_M in _rank_plain(plain, disturbed, samples).items():
        yield plain[asked], _frame(samples, SEED_OF_UNTRAINED, rank_M, None)
    for variant in variants:
        if variant.asked not in plain:
            yield variant, pd.concat(_rank_trained(variant, disturbed[variant.disturb]))


def _rank_trained(variant: Variant, samples: Samples) -> Iterator[pd.DataFrame]:
    seeds = {int(read_weights(path)[1]["options"]["seed"]): path for path in variant.weights}
    for seed, path in sorted(seeds.items()):
        fused = _fuse(variant, samples, path)
        rank_M = count_ranks(fused.query_BD, *_sought(samples))
        yield _frame(samples, seed, rank_M, fused.gate_B)


def _fuse(variant: Variant, samples: Samples, weights: Path | None = None) -> Fused:
    text_MD, round_M = torch.from_numpy(samples.text_MD), torch.from_numpy(samples.round_M)
    images_MKD = torch.from_numpy(images_of(samples)[:, : variant.count])
    return fuse_in_blocks(load_fusion(variant.fusion, weights).fuse, text_MD, images_MKD, round_M)


def _sought(samples: Samples) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(samples.corpus.matrix), torch.from_numpy(samples.target_M)


def _rank_plain(
    variants: Mapping[Asked, Variant], disturbed: Mapping[Disturb, Samples], samples: Samples
) -> dict[Asked, Tensor]:
    """Rank plain fusions together; what a disturbance leaves alone is the very same array, so one pile."""
    piles: dict[Hashable, Pile] = {}
    mixtures: dict[Asked, dict[Hashable, Tensor]] = {}
    for asked, variant in variants.items():
        own = disturbed[variant.disturb]
        text, image = (id(own.text_MD), 0), (id(own.images_MKD), variant.count)
        if text not in piles:
            piles[text] = Pile.of(torch.from_numpy(own.text_MD)[:, None])
        if image not in piles:
            piles[image] = Pile.of(use_images(torch.from_numpy(images_of(own)), variant.count))
        text_M, image_M = plain_weights(variant.fusion, own.round_M, piles[image])
        mixtures[asked] = {text: text_M, image: image_M}

    def direct(asked: Asked) -> Tensor:
        variant = variants[asked]
        return _fuse(variant, disturbed[variant.disturb]).query_BD

    return rank_mixtures(piles, mixtures, direct, *_sought(samples))


def plain_weights(fusion: FusionOptions, round_M: np.ndarray, images: Pile) -> tuple[Tensor, Tensor]:
    """Return the weights of the text and of the sum of the images in a query, but for its length."""
    one_M = torch.ones(len(round_M), dtype=torch.float64)
    if isinstance(fusion, ImageOptions):
        return 0 * one_M, one_M
    if isinstance(fusion, AddOptions):  # the mean image is brought to unit length first
        return one_M, 1 / images.rows_MD.double().norm(dim=1)
    assert isinstance(fusion, DarOptions)
    rounds, place_M = np.unique(round_M, return_inverse=True)
    text_M = torch.from_numpy(np.array([text_weight(fusion.alpha, int(one)) for one in rounds])[place_M])
    return text_M, (1 - text_M) / (1 if fusion.aggregate == "sum" else images.summed)


def _frame(samples: Samples, seed: int, rank_M: Tensor, gate_M: Tensor | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dialogue_id": samples.dialogue_ids,
            "round": samples.round_M,
            "seed": seed,
            "rank": rank_M.numpy(),
            "gate": None if gate_M is None else gate_M.numpy(),
        }
    )
