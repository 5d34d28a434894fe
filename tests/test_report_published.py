"""A run beside published figures: what agrees is worked out by hand, what was not measured is said."""

import shutil

import pandas as pd
import pytest

from daitir.errors import DaitirError
from daitir.report.expected import ExpectedValues
from daitir.report.published import compare
from daitir.report.run import DialogueSet, Measured, System, Tables
from daitir.stages import measure
from tests import synthetic
from tests.synthetic import SET, make_results
from tests.test_measure import measure_options
from tests.test_report import spaced, text_of, write

MINUS = "\N{MINUS SIGN}"
CURVE = {
    "source": "A paper",
    "system": "text",
    "dialogues": SET,
    "measure": "hits@10",
    # Hits@10 of text is 2, 2 and 10 of 12 dialogues: 16.67, 16.67 and 83.33 per cent.
    "values": {0: 16.67, 1: 17.5, 2: 80.0},
    "tolerance": 1.0,
}


def curve(**changed):
    return ExpectedValues.parse(CURVE | changed, "curve")


def measured(values, measure_="hits@10", system="text"):
    """A run of one system with these values by round, as the table of the measures holds them."""
    rows = [
        {"dialogues": SET, "system": system, "round": r, "measure": measure_, "value": v, "low": v, "high": v}
        for r, v in values.items()
    ]
    nothing = pd.DataFrame(columns=["dialogues"])
    tables = Tables(pd.DataFrame(rows), nothing, nothing, nothing)
    systems = {system: System(system, "blip", "llm", None, "text", None, 0)}
    return Measured(DialogueSet(SET, "tiny", 12, 40, 1), systems, tables, 10, (0, 2))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"measure": "hits@0"}, "no measure is called 'hits@0'; there are hits@k, recall@k, mrr"),
        ({"measure": "ndcg"}, "no measure is called 'ndcg'"),
        ({"values": {}}, "values: "),
        ({"values": {-1: 10.0}}, "values.-1"),
        ({"values": {3: 101.0}}, "101 at round 3 is no value of hits@10: that is 0 to 100 per cent"),
        ({"values": {3: float("nan")}}, "values.3"),
        ({"measure": "mrr", "values": {0: 63.4}}, "63.4 at round 0 is no value of mrr: that is 0 to 1"),
        ({"measure": "mean_rank", "values": {0: 0.5}}, "0.5 at round 0 is no value of mean_rank"),
        ({"tolerance": 0}, "tolerance"),
        ({"source": ""}, "source"),
        ({"rounds": 3}, "rounds: unknown key"),
    ],
)
def test_impossible_figures_are_refused(changed, words):
    """Unknown measures, values that a measure cannot have, no source, no tolerance."""
    with pytest.raises(DaitirError) as caught:
        curve(**changed)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "faults"),
    [
        ({}, []),
        ({"measure": "recall@7"}, ["measure: recall@7 is not measured; write 7 into report.hits"]),
        ({"values": {0: 1.0, 11: 2.0}}, ["values.11: the dialogue set ends at round 10"]),
        ({"measure": "bri", "values": {5: 2.0, 10: 1.0}}, []),
        (
            {"measure": "bri", "values": {0: 1.0, 10: 1.0}},
            ["values.0: bri is an area over rounds; give its values from round 1 on"],
        ),
    ],
)
def test_figures_that_a_run_cannot_measure_are_named(changed, faults):
    """A k that is not counted, a round that a dialogue set does not have."""
    assert list(curve(**changed).faults((1, 10), 11)) == faults


@pytest.mark.parametrize(
    ("values", "agrees", "text"),
    [
        (
            {0: 0.1767, 1: 0.165, 2: 0.8},
            [True, True, True],  # a whole point apart agrees
            "at 3 of 3 rounds, to within 1 point; it differs by up to +1.00 points, at round 0.",
        ),
        (
            {0: 0.1767, 1: 0.175, 2: 0.8233},
            [True, True, False],
            "at 2 of 3 rounds, to within 1 point; it differs by up to +2.33 points, at round 2.",
        ),
        (
            {0: 0.1, 2: 0.7},
            [False, False],
            f"at none of 2 rounds, to within 1 point; it differs by up to {MINUS}10.00 points, at round 2."
            " Not measured: round 1.",
        ),
    ],
)
def test_rounds_agree_within_the_tolerance(values, agrees, text):
    """Differences in points, the largest named with its round; a round that is missing is said."""
    found = compare(curve(), measured(values))
    assert [pair.agrees for pair in found.pairs] == agrees
    assert found.text == f"`text` agrees with “A paper” in Hits@10 {text}"


@pytest.mark.parametrize(
    ("changed", "run", "text"),
    [
        ({}, None, "`text` was not measured on `few` in this run"),
        ({"system": "chatir"}, measured({0: 0.5}), "`chatir` was not measured on `few` in this run"),
        ({"measure": "hits@50"}, measured({0: 0.5}), "Hits@50 of `text` was not measured in this run"),
        ({}, measured({7: 0.5}), "`text` was measured at none of the published rounds"),
    ],
)
def test_what_was_not_measured_is_not_compared(changed, run, text):
    """Another dialogue set, system, measure or round: no number at all, but a sentence."""
    found = compare(curve(**changed), run)
    assert found.pairs == ()
    assert found.text == f"{text}, so it is not compared with “A paper”."


def test_other_measures_keep_their_unit():
    """A mean rank of 7,512 against 7,500 of others, within 20 ranks."""
    wanted = curve(measure="mean_rank", values={0: 7500}, tolerance=20)
    found = compare(wanted, measured({0: 7512.0}, "mean_rank"))
    assert found.text.endswith("at 1 of 1 round, to within 20; it differs by up to +12, at round 0.")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder, config and page of a run of two dialogue sets; dar is measured on the first alone."""
    folder = tmp_path_factory.mktemp("published")
    config = make_results(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "SET", "more")
        make_results(folder / "more")
    shutil.copytree(folder / "more" / "results", folder / "results", dirs_exist_ok=True)
    (folder / "results/ranks/dar/more.parquet").unlink()
    systems = config["systems"] | {"dar": config["systems"]["dar"] | {"dialogues": [SET]}}
    expected = [CURVE, CURVE | {"system": "dar", "dialogues": "more"}, CURVE | {"dialogues": "third"}]
    config |= {
        "systems": systems,
        "evaluate": [SET, "more"],
        "dialogues": config["dialogues"] | {"more": config["dialogues"][SET]},
        "report": config["report"] | {"expected": expected},
    }
    compared = {
        name: {key: system.get(key) for key in ("baseline", "dialogues")} for name, system in systems.items()
    }
    options = measure_options(config, systems=compared, expected=expected)
    measure.run(measure.MeasureOptions.parse(options, "test"), folder / "results")
    return folder, config, write(folder, config)


def test_page_holds_the_run_against_published_figures(run):
    """In words at the top of the dialogue set, and round by round in a table."""
    says = (
        "text agrees with “A paper” in Hits@10 at 2 of 3 rounds, to within 1 point; it differs by up to +3.33"
    )
    page = run[2]
    assert text_of(page).count(f"{says} points, at round 2.") == 2
    table = spaced(page[page.index('<h2 id="published">') : page.index('<h2 id="made">')])
    assert "Published 16.67 17.50 80.00 Measured 16.67" in table
    assert f"Difference 0.00 {MINUS}0.83 +3.33 Within 1 point yes yes no" in table
    assert "Measured on 12 dialogues that search 40 candidates." in table


def test_page_says_what_was_not_measured(run):
    """A system that is not measured on the set, and a set that is not evaluated: said, not left out."""
    text = text_of(run[2])
    assert "dar was not measured on more in this run, so it is not compared with “A paper”." in text
    assert "text was not measured on third in this run, so it is not compared with “A paper”." in text


def test_published_curve_is_drawn_beside_its_system(run):
    """In the figure of the set that it is of, and in no other."""
    folder = run[0]
    first, second = ((folder / f"results/figures/hits-{name}.svg").read_text() for name in (SET, "more"))
    assert ">text, published</text>" in first
    assert "published" not in second
    assert run[2].count("Hollow points: published by others.") == 1


def test_several_dialogue_sets_are_overviewed(run):
    """A column a set, before the sets; a dash where a system is not measured."""
    page = run[2]
    assert page.index("All dialogue sets") < page.index(f'<h2 id="{SET}">') < page.index('<h2 id="more">')
    overview = page[page.index("All dialogue sets") : page.index(f'<h2 id="{SET}">')]
    row = next(row for row in overview.split("<tr>") if '<span class="name">dar</span>' in row)
    assert '<td data-v="-1">' in row
    hits = page[page.index("<h3>Hits@10</h3>", page.index('<h2 id="more">')) : page.index('id="published"')]
    assert '<span class="name">adafuse</span>' in hits
    assert '<span class="name">dar</span>' not in hits
