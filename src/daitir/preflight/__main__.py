"""Check before a run that every model, data set, licence, key and gigabyte is there, and how much work it is.

    python -m daitir.preflight --configfile config/paper-dar.yaml [more.yaml ...]

Several config files are merged as Snakemake merges them, from left to right. Nothing is downloaded. The exit
status is 0 if a run finds everything, else 1, and the last line says what is missing.
"""

import argparse
import sys

from daitir.config import load_config
from daitir.config.reading import add_configfile, read_config
from daitir.errors import exit_with_one_line
from daitir.preflight import check
from daitir.preflight.page import page, verdict


def main(argv: list[str] | None = None) -> None:
    """Check from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m daitir.preflight",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_configfile(parser)
    parser.add_argument("--whole", action="store_true", help="a line of work a dialogue set and corpus")
    arguments = parser.parse_args(argv)
    files = arguments.configfile
    named = " + ".join(map(str, files))
    result = check(load_config(read_config(files), named))
    print(page(result, named, arguments.whole))
    print(verdict(result))
    if result.missing:
        sys.exit(1)


if __name__ == "__main__":
    exit_with_one_line(main)
