"""Draw how the trainings of a fusion or of an encoder went, one history a seed, as one figure."""

import argparse
from pathlib import Path

from daitir.errors import exit_with_one_line
from daitir.fusions.curves import history_figure
from daitir.history import read_history
from daitir.seals import write_sealed
from daitir.tuning.curves import tuning_figure
from daitir.tuning.history import read_tuning_history

KINDS = {"fusion": (read_history, history_figure), "encoder": (read_tuning_history, tuning_figure)}


def run(kind: str, title: str, histories: list[Path], output: Path) -> None:
    """Write the SVG of the histories, in the order given."""
    read, figure = KINDS[kind]
    write_sealed(output, figure(title, [read(path) for path in histories]))


def main() -> None:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True, help="what was trained")
    parser.add_argument("--title", required=True)
    parser.add_argument("--histories", type=Path, nargs="+", required=True, help="Parquet, one a seed")
    parser.add_argument("--output", type=Path, required=True, help="SVG")
    paths = parser.parse_args()
    run(paths.kind, paths.title, paths.histories, paths.output)


if __name__ == "__main__":
    exit_with_one_line(main)
