"""The stages of the analyses, from a results folder with ranks and features to tables and figures."""

import sys
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from daitir.analyses.options import KINDS, READS, WITHOUT_FIGURE, Analysis
from daitir.errors import DaitirError
from daitir.layout import Layout
from daitir.seals import write_sealed
from daitir.stages import analyse, draw_analyses
from tests.analysed import SET, analysis_call, drawing_call, write_analysed


def call(stage, arguments):
    """Run a stage as its command line does."""
    before, sys.argv = sys.argv, [stage.__name__, *arguments]
    try:
        stage.main()
    finally:
        sys.argv = before


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """Folder, layout and sources of a results folder with all analyses."""
    folder = tmp_path_factory.mktemp("analysed")
    layout = Layout(str(folder / "results"))
    sources = write_analysed(folder)
    for name in get_args(Analysis):
        call(analyse, analysis_call(name, sources, layout.analysis(name, SET)))
    call(draw_analyses, drawing_call(layout.results))
    return layout, sources


@pytest.mark.parametrize("name", get_args(Analysis))
def test_each_analysis_has_a_table_and_a_figure(analysed, name):
    """Tidy: a set, a system and a round in every row, and nothing twice."""
    layout, _ = analysed
    table = pd.read_csv(layout.table(name))
    assert {"dialogues", "system", "round"} <= set(table.columns)
    assert len(table)
    assert not table.duplicated().any()
    for form in (layout.figure, layout.picture):
        assert Path(form(f"{name}-{SET}")).exists() == (name not in WITHOUT_FIGURE)


def test_system_without_a_fusion_has_ranks_alone(analysed):
    """An oracle is in what reads ranks and in nothing that ranks anew."""
    layout, _ = analysed
    for name in get_args(Analysis):
        is_there = "gated" in set(pd.read_csv(layout.table(name))["system"])
        assert is_there == (name not in {"images", "alpha", "stress"})


def test_unstressed_and_all_images_are_the_ranks(analysed):
    """What ranks anew finds the measures of the ranks table."""
    layout, _ = analysed
    tables = {name: pd.read_csv(layout.table(name)) for name in ("cost", "images", "stress")}
    chosen = {
        "cost": tables["cost"].query("system == 'dar'"),
        "images": tables["images"].query("system == 'dar' and images == 2"),
        "stress": tables["stress"].query("system == 'dar' and stress == 'none'"),
    }
    values = [rows.set_index(["measure", "round"])[["value", "low", "high"]] for rows in chosen.values()]
    pd.testing.assert_frame_equal(values[0], values[1])
    pd.testing.assert_frame_equal(values[0], values[2])


def test_analysis_that_no_system_takes_part_in_is_empty(analysed, tmp_path):
    """A heading alone, and a figure that says so."""
    _, sources = analysed
    layout = Layout(str(tmp_path))
    arguments = analysis_call("stress", sources, layout.analysis("stress", SET), systems=["text"])
    call(analyse, arguments)
    assert Path(layout.analysis("stress", SET)).read_text() == "dialogues,system,round\n"
    call(draw_analyses, drawing_call(layout.results, ["stress"]))
    assert "no system takes part" in Path(layout.figure(f"stress-{SET}")).read_text()


def test_second_call_writes_the_same_bytes(analysed, tmp_path):
    """A table is a function of its inputs and options."""
    layout, sources = analysed
    for name in ("stress", "gains"):
        again = tmp_path / "again.csv"
        call(analyse, analysis_call(name, sources, str(again)))
        assert again.read_bytes() == Path(layout.analysis(name, SET)).read_bytes()


def test_tables_of_several_sets_are_joined_line_by_line(tmp_path):
    """A set without rows brings no line, and does not decide the heading."""
    paths = [tmp_path / name for name in "abc"]
    for path, text in zip(paths, ("h,e\n", "x,y\n1,2\n", "x,y\n3,4\n"), strict=True):
        write_sealed(path, text)
    assert draw_analyses.joined(paths) == "x,y\n1,2\n3,4\n"
    assert draw_analyses.joined(paths[:1]) == "h,e\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "--sources is no JSON"),
        ('{"text": {"rank": "x"}}', "--sources is no JSON object"),
        ('{"text": {}}', "lacks the files of system 'dar'"),
    ],
)
def test_bad_sources_are_one_error(analysed, text, words):
    """What is wrong with them is said."""
    layout, sources = analysed
    arguments = analysis_call("changes", sources, layout.analysis("changes", SET))
    arguments[3] = text
    with pytest.raises(DaitirError, match=words):
        call(analyse, arguments)


def test_table_that_is_not_there_is_named(tmp_path):
    """A line, no trace."""
    with pytest.raises(DaitirError, match=r"few\.csv does not exist"):
        call(draw_analyses, drawing_call(str(tmp_path)))


def test_tables_are_named_each(analysed):
    """As many as there are analyses."""
    layout, sources = analysed
    arguments = analysis_call("changes", sources, layout.analysis("changes", SET))
    with pytest.raises(DaitirError, match="names 2 tables of 1"):
        call(analyse, [*arguments, "another.csv"])


def test_every_analysis_says_what_it_reads():
    """A new one cannot be forgotten in the tables that the plan asks."""
    assert set(READS) == set(get_args(Analysis))
    assert sorted(name for names in KINDS.values() for name in names) == sorted(get_args(Analysis))
