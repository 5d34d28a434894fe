"""Check a results folder: every file that a config makes, whole, complete and made from what lies there now.

    python -m daitir.verify --configfile config/paper-dar.yaml [more.yaml ...] [--results DIR] [--json]

Every file is read, so it takes as long as reading them. The exit status is 0 if all is there and whole, 1 if
a file is damaged, incomplete or made from others than lie there, and 3 if nothing is wrong but something is
not made yet, or was made with options that the config no longer gives. Nothing is changed.
"""

import argparse
import sys
from pathlib import Path

from daitir.config import load_config
from daitir.config.reading import add_configfile, called_with, read_config
from daitir.errors import exit_with_one_line
from daitir.planning import Plan
from daitir.verify import verify
from daitir.verify.page import as_json, page


def main(argv: list[str] | None = None) -> None:
    """Check from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m daitir.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_configfile(parser)
    parser.add_argument("--results", type=Path, help="folder of the results (default: the config's)")
    parser.add_argument("--whole", action="store_true", help="every line, however many there are")
    parser.add_argument("--json", action="store_true", help="the findings as JSON, for programs")
    arguments = parser.parse_args(argv)
    values = read_config(arguments.configfile)
    if arguments.results is not None:
        values["results"] = str(arguments.results)
    plan = Plan(load_config(values, " + ".join(map(str, arguments.configfile))))
    verdict = verify(plan)
    results = plan.layout.results
    print(
        as_json(verdict, results)
        if arguments.json
        else page(verdict, results, called_with(arguments.configfile, arguments.results), arguments.whole)
    )
    sys.exit(verdict.status)


if __name__ == "__main__":
    exit_with_one_line(main)
