"""Ranking again from stored features: another fusion, other images, other texts; no model is loaded.

Shape suffixes: M samples (one a dialogue and round), K generated images, D feature.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pandas as pd
import torch

from daitir.analyses.options import SystemSources
from daitir.analyses.subject import Subject
from daitir.fusions import FusionOptions, load_fusion
from daitir.fusions.base import fuse_in_blocks
from daitir.fusions.options import TextOptions
from daitir.samples import Samples, Sources, read_samples
from daitir.scoring import rank_targets
from daitir.weights import read_weights

SEED_OF_UNTRAINED = 0


def samples_of(sources: SystemSources) -> Samples:
    """Return the samples that a system ranks."""
    assert sources.dialogues is not None
    assert sources.queries is not None
    assert sources.corpus is not None
    return _samples(Sources(sources.dialogues, sources.queries, sources.pictures, sources.corpus))


@lru_cache(maxsize=1)  # systems of one encoder follow each other; a benchmark's features fill gigabytes
def _samples(sources: Sources) -> Samples:
    return read_samples(sources)


def with_images(subject: Subject) -> Iterator[tuple[str, FusionOptions, SystemSources]]:
    """Systems whose fusion looks at generated images, with their fusion and their files."""
    for name, system in subject.systems.items():
        if system.fusion is not None and not isinstance(system.fusion, TextOptions):
            yield name, system.fusion, subject.sources[name]


def rank_again(options: FusionOptions, weights: tuple[Path, ...], samples: Samples) -> pd.DataFrame:
    """Rank as the rank stage does: dialogue, round, seed, rank, ties and gate of each query and seed."""
    seeds = {int(read_weights(path)[1]["options"]["seed"]): path for path in weights}
    trainings: dict[int, Path | None] = {**seeds} or {SEED_OF_UNTRAINED: None}
    return pd.concat(_rank(options, path, seed, samples) for seed, path in sorted(trainings.items()))


def _rank(options: FusionOptions, weights: Path | None, seed: int, samples: Samples) -> pd.DataFrame:
    text_MD, round_M = torch.from_numpy(samples.text_MD), torch.from_numpy(samples.round_M)
    images_MKD = None if samples.images_MKD is None else torch.from_numpy(samples.images_MKD)
    fused = fuse_in_blocks(load_fusion(options, weights).fuse, text_MD, images_MKD, round_M)
    corpus_ND, target_M = torch.from_numpy(samples.corpus_ND), torch.from_numpy(samples.target_M)
    standing = rank_targets(fused.query_BD, corpus_ND, target_M, top=1)
    return pd.DataFrame(
        {
            "dialogue_id": samples.dialogue_ids,
            "round": samples.round_M,
            "seed": seed,
            "rank": standing.rank_Q.numpy(),
            "ties": standing.ties_Q.numpy(),
            "gate": None if fused.gate_B is None else fused.gate_B.numpy(),
        }
    )
