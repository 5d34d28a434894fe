"""How a stage is called: ``python -m daitir.stages.X --options JSON [--how JSON]`` and paths."""

import argparse
import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from daitir.errors import DaitirError
from daitir.machine import tell_machine
from daitir.options import Options

WRITTEN = {"output", "history", "figure"}
CLOCKS_MAY_DIFFER = 60  # seconds, between a machine and the one that holds its files

StageOptions = TypeVar("StageOptions", bound=Options)


@dataclass(frozen=True)
class Call(Generic[StageOptions]):
    """A parsed call: validated options, the plain record of those that change bytes, other arguments."""

    options: StageOptions
    record: dict[str, Any]
    arguments: argparse.Namespace


def stage_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the two arguments that every stage has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--options", required=True, metavar="JSON", help="what decides the bytes of the output"
    )
    parser.add_argument(
        "--how",
        default="{}",
        metavar="JSON",
        help="batch sizes, devices, workers, by component; bytes do not change",
    )
    return parser


def parse_call(
    parser: argparse.ArgumentParser, options: type[StageOptions], argv: list[str] | None = None
) -> Call[StageOptions]:
    """Parse the command line; the ``--how`` settings of a component are joined to its options.

    A job of the workflow says first on which machine it runs.
    """
    arguments = parser.parse_args(argv)
    tell_machine()
    require_past(arguments)
    record, extra = _json_object(arguments.options, "--options"), _json_object(arguments.how, "--how")
    return Call(options.parse(_join(record, extra), "--options"), record, arguments)


def require_past(arguments: argparse.Namespace) -> None:
    """Refuse input files that are dated ahead of the clock, before any work is done.

    Snakemake removes what a job has made if an input is younger, as it is where the clock was set back.
    """
    now, form = time.time(), "%Y-%m-%d %H:%M"
    for name, value in vars(arguments).items():
        for path in value if isinstance(value, list) else [value]:
            if name in WRITTEN or not isinstance(path, Path) or not path.is_file():
                continue
            dated = path.stat().st_mtime
            if dated > now + CLOCKS_MAY_DIFFER:
                then, here = (datetime.fromtimestamp(moment).strftime(form) for moment in (dated, now))
                raise DaitirError(
                    f"{path} is dated {then}, ahead of this machine's clock ({here}): set the clock right, or"
                    " `touch` the file, and run again; nothing finished is lost"
                )


def _join(record: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Join the ``--how`` settings to the options, at every depth."""
    return record | {
        name: _join(record[name], value)
        if isinstance(record.get(name), dict) and isinstance(value, dict)
        else value
        for name, value in extra.items()
    }


def _json_object(text: str, argument: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DaitirError(f"{argument} is not JSON ({error}): quote it as one argument") from None
    if not isinstance(value, dict):
        raise DaitirError(f"{argument} is not a JSON object")
    return value
