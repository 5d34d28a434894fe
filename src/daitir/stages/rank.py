"""Rank: fuse every query of a dialogue set and find the place of its target among all candidates."""

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
from daitir.samples import Samples, Sources, add_source_arguments, read_samples, sources_of
from daitir.scoring import Standing, rank_targets
from daitir.weights import read_weights, weights_digest

SEED_OF_UNTRAINED = 0


class RankOptions(Options):
    """The fusion."""

    code: str
    fusion: FusionOptions


def run(
    options: RankOptions, sources: Sources, weights: list[Path], output: Path, record: dict[str, Any]
) -> None:
    """Write the ranks of every query; of a trained fusion once for each of its seeds."""
    if sources.pictures and not options.fusion.uses_images:
        raise DaitirError(
            f"fusion {options.fusion.kind!r} looks at no generated images: leave --pictures out"
        )
    samples = read_samples(sources)
    trained = read_trained(weights, samples)
    frames = [
        rank(options.fusion, samples, seed, path)
        for seed, path in progress(trained.items(), f"rank {output.stem}", len(trained), "seeds")
    ]
    digests = {f"weights of seed {seed}": digest_of(path) for seed, path in trained.items() if path}
    write_ranks(output, pd.concat(frames), provenance("rank", record, samples.digests | digests))


def read_trained(weights: list[Path], samples: Samples) -> dict[int, Path | None]:
    """Return the weights by the seed they were trained with; they must know the encoder of these features."""
    if not weights:
        return {SEED_OF_UNTRAINED: None}
    found: dict[int, Path | None] = {}
    for path in weights:
        _, record = read_weights(path)
        seed = record["options"]["seed"]
        if seed in found:
            raise DaitirError(f"{path} and {found[seed]} are of the same seed {seed}: give each seed once")
        if record["encoder"] is not None:  # weights of others do not say
            require_same("encoder", {str(path): record["encoder"], "the corpus": samples.encoder})
        found[seed] = path
    return dict(sorted(found.items()))


def digest_of(weights: Path) -> str:
    """Digest of a file's weights."""
    return weights_digest(read_weights(weights)[0])


def rank(options: FusionOptions, samples: Samples, seed: int, weights: Path | None) -> pd.DataFrame:
    """Return the rows of the ranks table of one seed.

    The bits of a row depend on its query, its images, the corpus and the weights alone: not on threads,
    shards or the other queries.
    """
    text_MD, round_M = torch.from_numpy(samples.text_MD), torch.from_numpy(samples.round_M)
    images_MKD = None if samples.images_MKD is None else torch.from_numpy(samples.images_MKD)
    fused = fuse_in_blocks(load_fusion(options, weights).fuse, text_MD, images_MKD, round_M)
    require_finite(fused, samples)
    corpus_ND, target_M = torch.from_numpy(samples.corpus_ND), torch.from_numpy(samples.target_M)
    standing = rank_targets(fused.query_BD, corpus_ND, target_M, TOP)
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
    candidates = np.array(samples.candidates, dtype=object)
    return pd.DataFrame(
        {
            "dialogue_id": samples.dialogue_ids,
            "round": samples.round_M,
            "seed": seed,
            "target": samples.targets,
            "rank": standing.rank_Q.numpy(),
            "ties": standing.ties_Q.numpy(),
            "target_score": standing.target_score_Q.numpy(),
            "top_keys": list(candidates[standing.best_QT.numpy()]),
            "top_scores": list(standing.best_score_QT.numpy()),
            "gate": None if fused.gate_B is None else fused.gate_B.numpy(),
            "router": None if fused.router_BE is None else list(fused.router_BE.numpy()),
            "similarity": similarity_M,
        }
    )


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    add_source_arguments(parser)
    parser.add_argument(
        "--weights", type=Path, nargs="*", default=[], help="weights of a trained fusion, one file a seed"
    )
    parser.add_argument("--output", type=Path, required=True, help="ranks, Parquet")
    call = parse_call(parser, RankOptions)
    paths = call.arguments
    run(call.options, sources_of(paths), paths.weights, paths.output, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
