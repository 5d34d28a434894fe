"""Config files as the command line names them, merged as Snakemake merges them."""

import shlex
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daitir.errors import DaitirError


def add_configfile(parser: ArgumentParser) -> None:
    """Give a command the argument that names its config files."""
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[Path("config.yaml")],
        metavar="FILE",
        help="config files, merged from left to right (default: config.yaml)",
    )


def called_with(paths: Sequence[Path], results: Path | None = None) -> str:
    """Return the arguments that give Snakemake this config, with its results elsewhere if that is named."""
    moved = [] if results is None else ["--config", f"results={results}"]
    return shlex.join(["--configfile", *map(str, paths), *moved])


def read_config(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the values of config files, later ones over earlier ones, with Snakemake's own functions."""
    from snakemake.common.configfile import load_configfile
    from snakemake.exceptions import WorkflowError
    from snakemake.utils import update_config

    values: dict[str, Any] = {}
    for path in paths:
        try:
            update_config(values, load_configfile(str(path)))
        except FileNotFoundError:
            raise DaitirError(f"{path} does not exist: mend --configfile") from None
        except WorkflowError as error:
            raise DaitirError(f"{path}: {error}") from None
        except UnicodeDecodeError as error:
            raise DaitirError(f"{path} is not UTF-8 text ({error}): save it as that") from None
    return values
