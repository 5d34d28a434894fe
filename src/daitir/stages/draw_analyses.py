"""Draw analyses: the tables of all dialogue sets as one table an analysis, and a figure a dialogue set."""

from pathlib import Path

import pandas as pd
from pydantic import Field

from daitir.analyses import load_analysis
from daitir.analyses.options import WITHOUT_FIGURE, Analysis
from daitir.analyses.tools import Drawing
from daitir.charts import Chart
from daitir.command import parse_call, stage_parser
from daitir.errors import exit_with_one_line
from daitir.layout import Layout
from daitir.options import Options
from daitir.plots import draw_chart
from daitir.seals import read_sealed, write_sealed


class DrawOptions(Options):
    """The analyses; ``order`` gives the systems their looks, ``k`` and ``rounds`` say what figures show."""

    code: str
    analysis_code: dict[Analysis, str]
    analyses: tuple[Analysis, ...]
    evaluate: tuple[str, ...] = Field(min_length=1)
    order: tuple[str, ...]
    k: int = Field(ge=1)
    rounds: tuple[int, ...]


def run(options: DrawOptions, results: Path) -> None:
    """Read ``analyses/`` and write ``tables/`` and ``figures/``, all under one results folder."""
    layout = Layout(str(results))
    for analysis in options.analyses:
        texts = [Path(layout.analysis(analysis, dialogues)) for dialogues in options.evaluate]
        write_sealed(Path(layout.table(analysis)), joined(texts))
        if analysis in WITHOUT_FIGURE:
            continue
        module = load_analysis(analysis)
        for dialogues, path in zip(options.evaluate, texts, strict=True):
            drawing = Drawing(dialogues, options.order, options.k, options.rounds)
            table = pd.read_csv(path, keep_default_na=False, na_values=[""])
            nothing = f"{analysis}, {dialogues}: no system takes part"
            chart = Chart(nothing, "", [], per_cent=False) if table.empty else module.figure(table, drawing)
            draw_chart(chart).write(Path(layout.figure(f"{analysis}-{dialogues}")))


def joined(paths: list[Path]) -> str:
    """Return tables of one heading as one, line by line: no figure is read and written again."""
    tables = [_lines(path) for path in paths]
    full = [lines for lines in tables if len(lines) > 1] or tables[:1]
    return "".join([full[0][0], *(line for lines in full for line in lines[1:])])


def _lines(path: Path) -> list[str]:
    return read_sealed(path).decode().splitlines(keepends=True)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--results",
        type=Path,
        required=True,
        help="results folder: analyses are read, tables and figures written",
    )
    call = parse_call(parser, DrawOptions)
    run(call.options, call.arguments.results)


if __name__ == "__main__":
    exit_with_one_line(main)
