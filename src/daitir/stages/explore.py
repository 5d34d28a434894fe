"""Explore: a folder with a page that opens from disk, to look around in the ranks of two systems."""

from pathlib import Path
from typing import Any

from daitir.command import parse_call, stage_parser
from daitir.errors import exit_with_one_line
from daitir.explorer.configured import Configured
from daitir.explorer.folder import finished_folder
from daitir.explorer.site import write_site
from daitir.layout import Layout
from daitir.options import Options
from daitir.seals import seal_folder


class ExploreOptions(Options):
    """The config as run, as far as the page shows it, and the order of its systems."""

    code: str
    config: dict[str, Any]
    order: tuple[str, ...]


def run(options: ExploreOptions, results: Path, output: Path) -> None:
    """Write the explorer of the evaluated dialogue sets, whole or not at all."""
    config = Configured.model_validate(options.config)
    with finished_folder(output) as folder:
        write_site(config, options.order, Layout(str(results)), folder)
        seal_folder(folder, output, {})


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of results to look around in")
    parser.add_argument("--output", type=Path, required=True, help="folder of the page")
    call = parse_call(parser, ExploreOptions)
    run(call.options, call.arguments.results, call.arguments.output)


if __name__ == "__main__":
    exit_with_one_line(main)
