"""Rank: fuse every query of a dialogue set and find the place of its target among all candidates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from daitir.command import parse_call, stage_parser
from daitir.errors import DaitirError, exit_with_one_line
from daitir.fusions import FusionOptions, load_fusion
from daitir.fusions.base import Fused, fuse_in_blocks, mean_image, use_images
from daitir.fusions.options import TextOptions
from daitir.options import Options
from daitir.progress import progress
from daitir.provenance import provenance, require_same
from daitir.ranks import TOP, write_ranks
from daitir.samples import Samples, Sources, add_source_arguments, read_samples, sources_by_seed
from daitir.scoring import Standing, rank_targets
from daitir.weights import read_weights, weights_digest

SEED_OF_UNTRAINED = 0


class RankOptions(Options):
    """The fusion."""

    code: str
    fusion: FusionOptions


def run(
    options: RankOptions,
    sources: dict[int | None, Sources],
    weights: list[Path],
    output: Path,
    record: dict[str, Any],
) -> None:
    """Write the ranks of every query, once for each seed of a trained fusion or of a tuned encoder.

    Where both are trained, seed n of the fusion goes with seed n of the encoder.
    """
    if not options.fusion.uses_images and any(own.pictures for own in sources.values()):
        raise DaitirError(
            f"fusion {options.fusion.kind!r} looks at no generated images: leave --pictures out"
        )
    trained = by_seed(weights)
    frames: list[pd.DataFrame] = []
    digests: dict[str, str] = {}
    for encoder_seed, own in progress(sources.items(), f"rank {output.stem}", len(sources), "encoders"):
        samples = read_samples(own)
        digests |= named_digests(samples, encoder_seed)
        for seed, path in runs_of(encoder_seed, trained).items():
            if path is not None:
                digests[f"weights of seed {seed}"] = digest_of(path, samples)
            frames.append(rank(options.fusion, samples, seed, path))
    write_ranks(output, pd.concat(frames), provenance("rank", record, digests))


def by_seed(weights: list[Path]) -> dict[int, Path]:
    """Return the weights by the seed they were trained with."""
    found: dict[int, Path] = {}
    for path in weights:
        seed = read_weights(path)[1]["options"]["seed"]
        if seed in found:
            raise DaitirError(f"{path} and {found[seed]} are of the same seed {seed}: give each seed once")
        found[seed] = path
    return dict(sorted(found.items()))


def runs_of(encoder_seed: int | None, trained: dict[int, Path]) -> Mapping[int, Path | None]:
    """Return the seeds that features of an encoder are ranked with, each with its weights if any."""
    if encoder_seed is None:
        return trained or {SEED_OF_UNTRAINED: None}
    if trained and encoder_seed not in trained:
        raise DaitirError(
            f"the fusion has no weights of seed {encoder_seed}, with which the encoder was tuned: give both"
            " the same seeds"
        )
    return {encoder_seed: trained.get(encoder_seed)}


def named_digests(samples: Samples, encoder_seed: int | None) -> dict[str, str]:
    """Return the digests of samples by their role; of what a tuned encoder made, with its seed."""
    if encoder_seed is None:
        return samples.digests
    shared = ("dialogues", "candidates")
    return {
        role if role in shared else f"{role} of seed {encoder_seed}": digest
        for role, digest in samples.digests.items()
    }


def digest_of(weights: Path, samples: Samples) -> str:
    """Digest of a file's weights; they must know the encoder of these features."""
    tensors, record = read_weights(weights)
    if record["encoder"] is not None:  # weights of others do not say
        require_same("encoder", {str(weights): record["encoder"], "the corpus": samples.encoder})
    return weights_digest(tensors)


def rank(options: FusionOptions, samples: Samples, seed: int, weights: Path | None) -> pd.DataFrame:
    """Return the rows of the ranks table of one seed.

    The bits of a row depend on its query, its images, the corpus and the weights alone: not on threads,
    shards or the other queries.
    """
    text_MD, round_M = torch.from_numpy(samples.text_MD), torch.from_numpy(samples.round_M)
    images_MKD = None if samples.images_MKD is None else torch.from_numpy(samples.images_MKD)
    fused = fuse_in_blocks(load_fusion(options, weights).fuse, text_MD, images_MKD, round_M)
    require_finite(fused, samples)
    standing = rank_targets(fused.query_BD, samples.corpus, torch.from_numpy(samples.target_M), TOP)
    similarity_M = None
    if not isinstance(options, TextOptions) and images_MKD is not None:
        similarity_M = agreement(text_MD, use_images(images_MKD, options.images))
    return as_frame(samples, seed, fused, standing, similarity_M)


def require_finite(fused: Fused, samples: Samples) -> None:
    """Refuse a fusion that gives a query which is no number."""
    broken = (~fused.query_BD.isfinite().all(dim=1)).nonzero().flatten().tolist()
    if broken:
        raise DaitirError(
            f"the fusion gives {len(broken)} queries that are not finite, the first in round"
            f" {samples.round_M[broken[0]]} of {samples.dialogue_ids[broken[0]]!r}: train it again"
        )


def agreement(text_MD: torch.Tensor, images_MKD: torch.Tensor) -> np.ndarray:
    """cos(text, mean image) of each query."""
    image_MD = fuse_in_blocks(lambda images_BKD: Fused(mean_image(images_BKD)), images_MKD).query_BD
    return np.einsum("md,md->m", text_MD.numpy(), image_MD.numpy())


def as_frame(
    samples: Samples, seed: int, fused: Fused, standing: Standing, similarity_M: np.ndarray | None
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
            "similarity": similarity_M,
        }
    )


def keys_at(samples: Samples, place_QT: np.ndarray) -> np.ndarray:
    """Return the keys of candidates at some places of the corpus, as texts."""
    own, inverse = np.unique(place_QT, return_inverse=True)
    texts = [name.decode() for name in samples.corpus.names[own].tolist()]
    return np.array(texts, dtype=object)[inverse].reshape(place_QT.shape)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    add_source_arguments(parser, several=True)
    parser.add_argument(
        "--weights", type=Path, nargs="*", default=[], help="weights of a trained fusion, one file a seed"
    )
    parser.add_argument("--output", type=Path, required=True, help="ranks, Parquet")
    call = parse_call(parser, RankOptions)
    paths = call.arguments
    run(call.options, sources_by_seed(paths), paths.weights, paths.output, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
