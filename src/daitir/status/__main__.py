"""Say where a run stands: what is done, running, stopped and left, and how long the rest will take.

    python -m daitir.status --configfile config/paper-dar.yaml [more.yaml ...] [--results DIR]

To be called where Snakemake is, at any time: nothing is locked, read whole or changed. A job counts as
stopped when it was begun and its log has been quiet for ten minutes. Times are sums over jobs: those that run
side by side divide them.
"""

import argparse
from pathlib import Path

from daitir.config import load_config
from daitir.config.reading import add_configfile, called_with, read_config
from daitir.errors import exit_with_one_line
from daitir.planning import Plan
from daitir.planning.inventory import Inventory
from daitir.status.page import page
from daitir.status.standing import standings


def main(argv: list[str] | None = None) -> None:
    """Tell from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m daitir.status",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_configfile(parser)
    parser.add_argument("--results", type=Path, help="folder of the results (default: the config's)")
    arguments = parser.parse_args(argv)
    values = read_config(arguments.configfile)
    if arguments.results is not None:
        values["results"] = str(arguments.results)
    config = load_config(values, " + ".join(map(str, arguments.configfile)))
    plan = Plan(config)
    found = standings(plan.layout, list(Inventory(plan).jobs()))
    print(page(config, found, called_with(arguments.configfile, arguments.results)))


if __name__ == "__main__":
    exit_with_one_line(main)
