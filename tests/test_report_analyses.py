"""The analyses on the page: every one is told, with the numbers of its table."""

from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from daitir.analyses.options import WITHOUT_FIGURE, Analysis
from daitir.layout import FIGURES, TABLES, Layout
from daitir.report.analyses import SHOWN, analyses_of
from daitir.report.numbers import share
from daitir.report.run import DialogueSet, Measured, Tables
from daitir.seals import write_sealed
from daitir.stages import analyse, draw_analyses
from tests.analysed import SET, analysis_call, drawing_call, write_analysed
from tests.browser import Browser, find_browser
from tests.synthetic import make_results
from tests.test_analyse import call
from tests.test_measure import measure_options
from tests.test_report import text_of, write

ROOT = Path(__file__).parents[1]
CAPTIONS = ROOT / "workflow" / "report"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Layout of a results folder with all analyses, and what the page shows of each."""
    folder = tmp_path_factory.mktemp("shown")
    layout = Layout(str(folder / "results"))
    sources = write_analysed(folder)
    for name in get_args(Analysis):
        call(analyse, analysis_call(name, sources, layout.analysis(name, SET)))
    call(draw_analyses, drawing_call(layout.results))
    found = analyses_of(layout, run_of_two_rounds(), get_args(Analysis))
    return layout, {one.name: one for one in found}


def run_of_two_rounds():
    """What the page knows of the run, as far as its analyses ask."""
    rounds = Tables(pd.DataFrame({"round": [0, 1]}), *(pd.DataFrame() for _ in range(3)))
    return Measured(DialogueSet(SET, "tiny", 30, 30, 1), {}, rounds, 10, (0,))


def column(one, heading):
    """Texts of a column of an analysis's grid."""
    place = list(one.grid.headings).index(heading)
    return [row[place].text for row in one.grid.rows]


def table_of(layout, name):
    table = pd.read_csv(layout.table(name))
    last = table[table["round"] == 1]
    return last[last["measure"] == "hits@10"] if "measure" in table else last


def test_every_analysis_is_told(shown):
    """In words, with its figure where it has one, and at least one row."""
    assert set(SHOWN) == set(get_args(Analysis)) == set(shown[1])
    for name, one in shown[1].items():
        assert (one.figure is None) == (name in WITHOUT_FIGURE)
        assert one.grid.rows, name
        assert {len(row) for row in one.grid.rows} == {len(one.grid.headings)}


@pytest.mark.parametrize(
    ("name", "variant"),
    [("length", "length"), ("repetition", "repeated"), ("images", "images"), ("stress", "stress")],
)
def test_variants_stand_side_by_side(shown, name, variant):
    """A row a system, a column a variant: Hits@10 at the last round."""
    layout, found = shown
    table = (
        table_of(layout, name).astype({variant: str}).pivot(index="system", columns=variant, values="value")
    )
    one = found[name]
    for heading in one.grid.headings[1:]:
        expected = table.loc[column(one, "System"), heading]
        told = column(one, heading)
        assert [text for text in told if text != "\N{EN DASH}"] == [share(v) for v in expected.dropna()]


def test_best_weight_is_that_of_the_table(shown):
    """At every round, beside both ends."""
    layout, found = shown
    table = pd.read_csv(layout.table("alpha")).query("measure == 'hits@10'")
    for place, round_ in enumerate(column(found["alpha"], "Round")):
        own = table[table["round"] == int(round_)].set_index("alpha")["value"]
        assert column(found["alpha"], "Hits there")[place] == share(own.max())
        assert own[float(column(found["alpha"], "Best weight of the text")[place])] == own.max()
        assert column(found["alpha"], "Text alone")[place] == share(own[1.0])


def test_cost_changes_gains_and_ties_are_those_of_the_tables(shown):
    """Seconds, quantiles of lost ranks, queries, shares."""
    layout, found = shown
    cost = table_of(layout, "cost").set_index("system")
    assert column(found["cost"], "together, s") == [f"{value:.3f}" for value in cost["seconds"]]
    queries = table_of(layout, "queries")
    assert column(found["queries"], "Cut, %") == [
        "\N{EN DASH}" if pd.isna(value) else share(value) for value in queries["truncated"]
    ]
    changes = table_of(layout, "changes").query("quantile == 0.5")
    told = [row[3].value for row in found["changes"].grid.rows]
    assert told == changes["ranks_lost"].tolist()
    assert column(found["gains"], "Query") == table_of(layout, "gains")["query_text"].tolist()


def test_analysis_in_which_no_system_takes_part_is_empty(shown):
    """A run of texts alone has nothing to stress: a table without measures, and an empty figure."""
    layout, _ = shown
    path = Path(layout.table("stress"))
    whole = path.read_text()
    write_sealed(path, "dialogues,system,round\n")
    one = analyses_of(layout, run_of_two_rounds(), ["stress"])[0]
    write_sealed(path, whole)
    assert (one.grid.headings, one.grid.rows) == ((), ())


def test_every_table_and_figure_has_a_caption():
    """For `snakemake --report`: one that is missing would end it."""
    tables = {path.stem for path in (CAPTIONS / "tables").iterdir()}
    figures = {path.stem for path in (CAPTIONS / "figures").iterdir()}
    analyses = set(get_args(Analysis))
    assert tables == {*TABLES, *analyses, "views"}
    assert figures == {*FIGURES, *(analyses - WITHOUT_FIGURE), "training", "tuning", "views"}


@pytest.fixture(scope="module")
def page(tmp_path_factory, shown):
    """A page with all analyses, in a folder of its own."""
    from daitir.stages import measure

    folder = tmp_path_factory.mktemp("page")
    config = make_results(folder)
    measure.run(measure.MeasureOptions.parse(measure_options(config), "test"), folder / "results")
    for kind in ("tables", "figures"):
        for file in (Path(shown[0].results) / kind).iterdir():
            (folder / "results" / kind / file.name).write_bytes(file.read_bytes())
    config["report"] = config["report"] | {"analyses": list(get_args(Analysis))}
    return folder, write(folder, config)


def test_page_holds_all_of_them(page):
    """Title, note and numbers."""
    text = text_of(page[1])
    for name, one in SHOWN.items():
        assert one.title in text
        assert f'id="{SET}-{name}"' in page[1]
    assert "No system takes part." in text  # the analyses are of rounds 0 and 1, the page's last is 2


def test_a_click_sorts_a_table(page, tmp_path):
    """By numbers, largest first, then the other way; Enter does the same; nothing is fetched."""
    program = find_browser()
    if program is None:
        pytest.skip("there is no Chromium or Chrome on PATH, which this test drives: install one")
    browser = Browser(program, tmp_path)
    browser.open((page[0] / "report.html").as_uri())
    browser.wait("document.readyState === 'complete' && document.querySelector('table.sortable')")
    heading = "table.sortable th:nth-child(3)"
    cells = "document.querySelector('table.sortable').querySelectorAll('tbody td:nth-child(3)')"
    browser.click(heading)
    down = browser.evaluate(f"[...{cells}].map(cell => Number(cell.dataset.v))")
    assert down == sorted(down, reverse=True)
    assert len(set(down)) > 1
    browser.click(heading)
    assert browser.evaluate(f"[...{cells}].map(cell => Number(cell.dataset.v))") == down[::-1]
    browser.press("Enter")
    assert browser.evaluate(f"[...{cells}].map(cell => Number(cell.dataset.v))") == down
    assert browser.evaluate(f"document.querySelector('{heading}').ariaSort") == "descending"
    assert browser.faults == []
    assert [one for one in browser.requests if one.startswith("http")] == []
    browser.close()
