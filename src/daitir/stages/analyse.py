"""Analyse: analyses of one dialogue set, from ranks or from stored features, to tidy tables."""

import json
from pathlib import Path
from types import ModuleType

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
    """The analyses, and how they measure; ``analysis_code`` stands for the code of each."""

    code: str
    analysis_code: dict[Analysis, str]
    analyses: tuple[Analysis, ...] = Field(min_length=1)
    dialogues: str
    systems: dict[str, AnalysedSystem] = Field(min_length=1)
    order: tuple[str, ...]
    hits: tuple[int, ...] = Field(min_length=1)
    resamples: int = Field(ge=100)
    seed: int
    examples: int = Field(10, ge=1)


def run(options: AnalyseOptions, sources: dict[str, SystemSources], outputs: list[Path]) -> None:
    """Write the rows of each analysis as CSV; a table without rows has a heading alone.

    What several of them rank anew is ranked once.
    """
    if len(outputs) != len(options.analyses):
        raise DaitirError(f"--output names {len(outputs)} tables of {len(options.analyses)}: name each")
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
    modules = [load_analysis(name) for name in options.analyses]
    prepare(subject, modules)
    for module, output in zip(modules, outputs, strict=True):
        found = list(module.rows(subject))
        table = pd.DataFrame(found, columns=None if found else KEYS)
        write_sealed(output, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def prepare(subject: Subject, modules: list[ModuleType]) -> None:
    """Rank together what the analyses that rank anew ask for."""
    wanted = [one for module in modules if hasattr(module, "variants") for one in module.variants(subject)]
    if wanted:
        from daitir.analyses.again import rank_variants

        for _ in rank_variants(subject, wanted):
            pass


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--sources", required=True, metavar="JSON", help="files of each system, by their role"
    )
    parser.add_argument(
        "--output", type=Path, nargs="+", required=True, help="tables, CSV, in the order of the analyses"
    )
    call = parse_call(parser, AnalyseOptions)
    try:
        named = json.loads(call.arguments.sources)
        sources = {name: SystemSources.model_validate(files) for name, files in named.items()}
    except (ValueError, AttributeError) as error:
        raise DaitirError(f"--sources is no JSON object of each system's files: {error}") from None
    run(call.options, sources, call.arguments.output)


if __name__ == "__main__":
    exit_with_one_line(main)
