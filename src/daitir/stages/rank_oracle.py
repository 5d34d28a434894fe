"""Rank as an oracle would: take for each query the better of some systems' ranks, which are known already."""

from pathlib import Path
from typing import Any

from daitir.command import parse_call, stage_parser
from daitir.errors import DaitirError, exit_with_one_line
from daitir.fusions.options import OracleOptions
from daitir.fusions.oracle import best_of
from daitir.options import Options
from daitir.provenance import provenance, require_same
from daitir.ranks import SCHEMA, ranks_provenance, read_ranks, write_ranks
from daitir.tables import read_table, table_digest


class RankOracleOptions(Options):
    """The systems that are chosen from."""

    code: str
    fusion: OracleOptions


def run(options: RankOracleOptions, ranks: list[Path], output: Path, record: dict[str, Any]) -> None:
    """Write a ranks table with the better row of each query; ``ranks`` are those of the named systems."""
    if len(ranks) != len(options.fusion.of):
        raise DaitirError(
            f"{len(ranks)} ranks tables for {len(options.fusion.of)} systems: give one a system, in order"
        )
    sources = dict(zip(options.fusion.of, ranks, strict=True))
    for role in ("dialogues", "candidates"):
        require_same(role, {str(path): ranks_provenance(path)["inputs"].get(role) for path in ranks})
    frame = best_of({system: read_ranks(path) for system, path in sources.items()})
    digests = {
        f"ranks of {system}": table_digest(read_table(path, SCHEMA)) for system, path in sources.items()
    }
    write_ranks(output, frame, provenance("rank", record, digests))


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--ranks", type=Path, nargs="+", required=True, help="ranks of the systems, in the options' order"
    )
    parser.add_argument("--output", type=Path, required=True, help="ranks, Parquet")
    call = parse_call(parser, RankOracleOptions)
    run(call.options, call.arguments.ranks, call.arguments.output, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
