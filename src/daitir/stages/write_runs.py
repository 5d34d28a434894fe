"""Write runs: the ranks of all systems as TREC runs, a file a round and seed, and the judgements to them."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.errors import DaitirError, exit_with_one_line
from daitir.layout import Layout
from daitir.options import Options
from daitir.ranks import TOP, read_ranks
from daitir.runs import judgements, run_text
from daitir.seals import write_sealed


class WriteRunsOptions(Options):
    """The systems of each dialogue set, and to which place a list is written (null: down to its target)."""

    code: str
    systems: dict[str, tuple[str, ...]] = Field(min_length=1)
    depth: int | None = Field(1000, ge=TOP)


def run(options: WriteRunsOptions, results: Path) -> None:
    """Read ``ranks/`` and write ``runs/*.trec`` and ``runs/*.qrels``, all under one results folder."""
    layout = Layout(str(results))
    for dialogues, systems in options.systems.items():
        frames = {system: read_ranks(Path(layout.ranks(system, dialogues))) for system in systems}
        targets = targets_of(dialogues, frames)
        for system, frame in frames.items():
            for path, rows in split(layout, system, dialogues, frame):
                write_sealed(path, run_text(rows, system, options.depth))
        write_sealed(Path(layout.judgements(dialogues)), judgements(targets))


def targets_of(dialogues: str, frames: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Return the target of each dialogue; all systems must have ranked the same."""
    found = {name: dict(zip(one["dialogue_id"], one["target"], strict=True)) for name, one in frames.items()}
    first, targets = next(iter(found.items()))
    for system, own in found.items():
        if own != targets:
            raise DaitirError(
                f"ranks of {first!r} and {system!r} on {dialogues!r} have other dialogues or targets:"
                " remove the older of the two and run again"
            )
    return targets


def split(
    layout: Layout, system: str, dialogues: str, frame: pd.DataFrame
) -> Iterator[tuple[Path, pd.DataFrame]]:
    """Yield the rows of each run with its path; of a system with one seed the name says no seed."""
    seeds = sorted(map(int, frame["seed"].unique()))
    for round_ in sorted(map(int, frame["round"].unique())):
        for seed in seeds:
            path = layout.run(system, dialogues, round_, seed if len(seeds) > 1 else None)
            yield Path(path), frame[(frame["round"] == round_) & (frame["seed"] == seed)]


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--results", type=Path, required=True, help="results folder: ranks are read, runs written"
    )
    call = parse_call(parser, WriteRunsOptions)
    run(call.options, call.arguments.results)


if __name__ == "__main__":
    exit_with_one_line(main)
