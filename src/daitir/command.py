"""How a stage is called: ``python -m daitir.stages.X --options JSON [--how JSON]`` and paths."""

import argparse
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from daitir.errors import DaitirError
from daitir.machine import tell_machine
from daitir.options import Options

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
    record, extra = _json_object(arguments.options, "--options"), _json_object(arguments.how, "--how")
    return Call(options.parse(_join(record, extra), "--options"), record, arguments)


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
