"""Rank: fuse every query of a dialogue set and find the place of its target among all candidates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from daitir.command import parse_call, stage_parser
from daitir.errors import DaitirError, exit_with_one_line
from daitir.fusions import FusionOptions
from daitir.progress import progress
from daitir.provenance import provenance, require_same
from daitir.ranking import SEED_OF_UNTRAINED, RankOptions, as_frame, fuse
from daitir.ranks import TOP, write_ranks
from daitir.samples import Samples, Sources, add_source_arguments, read_samples, sources_by_seed
from daitir.scoring import rank_targets
from daitir.weights import read_weights, weights_digest


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
    fused = fuse(options, samples, weights)
    standing = rank_targets(fused.query_BD, samples.corpus, torch.from_numpy(samples.target_M), TOP)
    return as_frame(options, samples, seed, fused, standing)


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
