"""The expressions of docs/methods.md give the figures of the tables."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from daitir.analyses.options import WITHOUT_FIGURE, Analysis
from daitir.evaluation.rankings import measures_by_round
from daitir.layout import FIGURES, TABLES
from daitir.stages import analyse, draw_analyses
from daitir.stages.measure import MeasureOptions
from daitir.stages.measure import run as measure
from tests.analysed import MEASURED, SET, SYSTEMS, analysis_call, drawing_call, write_analysed
from tests.test_analyse import call

PAGE = (
    (Path(__file__).parents[1] / "docs" / "methods.md").read_text(encoding="utf-8").replace("mini-val", SET)
)
NAMES = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]


def rows_of(heading):
    """Name and expression of each row of the table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|(?:[^`|]+\|)? `([^`]+)` \|", section, re.MULTILINE)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The names of the page, in a folder with results."""
    folder = tmp_path_factory.mktemp("methods")
    sources = write_analysed(folder)
    systems = {name: {"baseline": one.get("baseline")} for name, one in SYSTEMS.items()}
    measure(MeasureOptions.parse({"code": "x", "systems": systems} | MEASURED, "test"), folder / "results")
    for name in get_args(Analysis):
        call(analyse, analysis_call(name, sources, str(folder / f"results/analyses/{name}/{SET}.csv")))
    call(draw_analyses, drawing_call(str(folder / "results")))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = {}
        exec(NAMES, found)  # our own page
        yield found


@pytest.mark.parametrize(("measure", "expression"), rows_of("Measures by round"))
def test_measure_from_the_ranks(given, measure, expression):
    """The expression of a measure gives the values of by_round.csv, round by round."""
    rows = given["table"]("by_round").query(f"system == 'dar' and measure == '{measure}'")
    value = eval(expression, given)
    value = [value] if np.isscalar(value) else value.tolist()
    assert value == pytest.approx(rows["value"].tolist(), rel=1e-5)


@pytest.mark.parametrize(("column", "expression"), rows_of("Degradation and gain"))
def test_degradation_from_the_ranks(given, column, expression):
    """So does that of a column of degradation.csv."""
    rows = given["table"]("degradation").query("system == 'dar'")
    assert eval(expression, given).tolist() == pytest.approx(rows[column].tolist(), rel=1e-5)


@pytest.mark.parametrize(("figure", "expression"), rows_of("Figures"))
def test_figure_from_the_tables(given, figure, expression):
    """Every figure has its numbers, one a point: an expression that averaged would have said so."""
    found = eval(expression, given)
    assert len(found)
    assert found.notna().any(axis=None)


def test_summary_and_comparisons_from_the_tables(given):
    """The same figure stands in two tables."""
    expressions, table = dict(rows_of("Tables")), given["table"]
    value = eval(expressions["summary"], given)
    summary = table("summary").set_index("system")["hits@10 round 1"]
    assert value.to_dict() == pytest.approx(summary.to_dict())
    assert eval(expressions["by_seed"], given).to_dict() == pytest.approx(summary.to_dict())
    rows = table("comparisons").query("measure == 'hits@10' and round == 1")
    assert eval(expressions["comparisons"], given).tolist() == pytest.approx(
        rows["difference"].tolist(), abs=1e-5
    )


def test_nothing_is_missing_on_the_page():
    """Every measure, table, figure and analysis is there."""
    measures = {name.split("@")[0] for name, _ in rows_of("Measures by round")}
    assert measures == {name.split("@")[0] for name in measures_by_round([10])} | {"bri"}
    drawn = {name for name in get_args(Analysis) if name not in WITHOUT_FIGURE}
    assert {name for name, _ in rows_of("Degradation and gain")} >= {"degradation_rate", "rank_gain"}
    assert {name for name, _ in rows_of("Figures")} == set(FIGURES) | drawn
    assert {*TABLES, "gains"} <= set(re.findall(r"[\w]+", PAGE))
    assert pd.Series(
        re.findall(r"^\| `(\w+)` \|", PAGE.split("## Analyses")[1].split("## ")[0], re.M)
    ).is_unique
