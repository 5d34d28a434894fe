"""Rank several systems whose queries are weighted sums of the same text and image: two scores serve them all.

Each file is the one, to the byte, that ``daitir.stages.rank`` writes of its system alone.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from daitir.command import parse_call, stage_parser
from daitir.errors import DaitirError, exit_with_one_line
from daitir.options import Options
from daitir.progress import progress
from daitir.provenance import provenance
from daitir.ranking import SEED_OF_UNTRAINED, RankOptions, as_frame, fuse
from daitir.ranks import TOP, write_ranks
from daitir.samples import Samples, Sources, add_source_arguments, read_samples, sources_of
from daitir.together import rank_together


class TogetherOptions(Options):
    """The options of each system, as it would be ranked alone."""

    code: str
    systems: dict[str, RankOptions]


def run(
    options: TogetherOptions, sources: Sources, outputs: dict[str, Path], records: dict[str, dict[str, Any]]
) -> None:
    """Write the ranks of every query by each system."""
    samples = read_samples(sources)
    seen = {
        name: samples if own.fusion.uses_images else blind(samples) for name, own in options.systems.items()
    }
    fused = {name: fuse(own.fusion, seen[name]) for name, own in options.systems.items()}
    queries = {name: one.query_BD for name, one in fused.items()}
    standings = rank_together(queries, samples.corpus, torch.from_numpy(samples.target_M), TOP)
    for name, own in progress(options.systems.items(), "ranks", len(outputs), "systems"):
        frame = as_frame(own.fusion, seen[name], SEED_OF_UNTRAINED, fused[name], standings[name])
        write_ranks(outputs[name], frame, provenance("rank", records[name], seen[name].digests))


def blind(samples: Samples) -> Samples:
    """Return samples as a system has them that looks at no images."""
    digests = {role: digest for role, digest in samples.digests.items() if role != "pictures"}
    return replace(samples, images_MKD=None, digests=digests)


def by_system(outputs: list[Path], systems: list[str]) -> dict[str, Path]:
    """Return the outputs by their system, which is the name of their folder."""
    found = {path.parent.name: path for path in outputs}
    if sorted(found) != sorted(systems) or len(outputs) != len(systems):
        raise DaitirError(
            f"--output has folders {', '.join(path.parent.name for path in outputs)} for the systems"
            f" {', '.join(systems)}: give each system one file, in a folder of its name"
        )
    return found


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    add_source_arguments(parser)
    parser.add_argument(
        "--output", type=Path, nargs="+", required=True, help="ranks, Parquet: SYSTEM/FILE for each system"
    )
    call = parse_call(parser, TogetherOptions)
    outputs = by_system(call.arguments.output, list(call.options.systems))
    run(call.options, sources_of(call.arguments), outputs, call.record["systems"])


if __name__ == "__main__":
    exit_with_one_line(main)
