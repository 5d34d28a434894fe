"""Summarise: one Markdown file with a table of all systems a dialogue set, the claims, and the models."""

from pathlib import Path
from typing import Any

from daitir.command import parse_call, stage_parser
from daitir.errors import exit_with_one_line
from daitir.layout import Layout
from daitir.options import Options
from daitir.report.answers import read_answers
from daitir.report.configured import Configured
from daitir.report.costs import costs
from daitir.report.overview import overview
from daitir.report.reading import read_runs
from daitir.report.views import views_of
from daitir.seals import write_sealed


class SummariseOptions(Options):
    """The config as run, and the order of its systems and oracles."""

    code: str
    config: dict[str, Any]
    order: tuple[str, ...]


def run(options: SummariseOptions, results: Path, benchmarks: list[Path], output: Path) -> None:
    """Write the summary of the evaluated dialogue sets."""
    config = Configured.model_validate(options.config)
    layout = Layout(str(results))
    runs = read_runs(config, layout, options.order)
    views = {name: views_of(layout, run_of) for name, run_of in runs.items()}
    spent = costs(layout, list(runs.values()), benchmarks)
    write_sealed(output, overview(list(runs.values()), views, read_answers(config, layout), spent))


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of results to summarise")
    parser.add_argument(
        "--benchmarks", type=Path, nargs="*", default=[], help="folders of Snakemake's benchmark files"
    )
    parser.add_argument("--output", type=Path, required=True, help="summary, Markdown")
    call = parse_call(parser, SummariseOptions)
    paths = call.arguments
    run(call.options, paths.results, paths.benchmarks, paths.output)


if __name__ == "__main__":
    exit_with_one_line(main)
