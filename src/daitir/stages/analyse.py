"""Analyse: one analysis of one dialogue set, from ranks or from stored features, to a tidy table."""

import json
from pathlib import Path

import pandas as pd
from pydantic import Field

from daitir.analyses import load_analysis
from daitir.analyses.options import AnalysedSystem, Analysis, SystemSources
from daitir.analyses.subject import Subject
from daitir.command import parse_call, stage_parser
from daitir.errors import DaitirError, exit_with_one_line
from daitir.options import Options
from daitir.seals import write_sealed

KEYS = ["dialogues", "system", "round"]


class AnalyseOptions(Options):
    """The analysis, and how it measures; ``analysis_code`` stands for its own code."""

    code: str
    analysis_code: str
    analysis: Analysis
    dialogues: str
    systems: dict[str, AnalysedSystem] = Field(min_length=1)
    order: tuple[str, ...]
    hits: tuple[int, ...] = Field(min_length=1)
    resamples: int = Field(ge=100)
    seed: int
    examples: int = Field(10, ge=1)


def run(options: AnalyseOptions, sources: dict[str, SystemSources], output: Path) -> None:
    """Write the rows of an analysis as CSV; a table without rows has a heading alone."""
    unknown = sorted(set(options.systems) - set(sources))
    if unknown:
        raise DaitirError(f"--sources lacks the files of system {unknown[0]!r}: name them")
    systems = {name: options.systems[name] for name in options.order if name in options.systems}
    subject = Subject(
        options.dialogues,
        systems,
        {name: sources[name] for name in systems},
        options.hits,
        options.resamples,
        options.seed,
        options.examples,
    )
    found = list(load_analysis(options.analysis).rows(subject))
    table = pd.DataFrame(found, columns=None if found else KEYS)
    write_sealed(output, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--sources", required=True, metavar="JSON", help="files of each system, by their role"
    )
    parser.add_argument("--output", type=Path, required=True, help="table, CSV")
    call = parse_call(parser, AnalyseOptions)
    try:
        named = json.loads(call.arguments.sources)
        sources = {name: SystemSources.model_validate(files) for name, files in named.items()}
    except (ValueError, AttributeError) as error:
        raise DaitirError(f"--sources is no JSON object of each system's files: {error}") from None
    run(call.options, sources, call.arguments.output)


if __name__ == "__main__":
    exit_with_one_line(main)
