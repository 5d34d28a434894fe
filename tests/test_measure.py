"""The measure stage: from a results folder with known ranks to tables and figures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daitir.errors import DaitirError
from daitir.layout import FIGURES, TABLES, Layout
from daitir.stages.measure import MeasureOptions, main, run
from tests.synthetic import SEEDS, SET, known_ranks, make_results


def measure_options(config, **changed):
    """Options as the workflow writes them."""
    systems = {name: {"baseline": system.get("baseline")} for name, system in config["systems"].items()}
    settings = {name: config["report"][name] for name in ("hits", "rounds", "resamples", "seed")}
    order = list(systems)
    return (
        {"code": "x", "evaluate": config["evaluate"], "systems": systems, "order": order} | settings | changed
    )


def files(results):
    layout = Layout(str(results))
    names = [layout.table(name) for name in TABLES] + [layout.figure(f"{name}-{SET}") for name in FIGURES]
    return {name: Path(name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Results folder with its tables."""
    folder = tmp_path_factory.mktemp("measure")
    config = make_results(folder)
    run(MeasureOptions.parse(measure_options(config), "test"), folder / "results")
    return config, folder / "results"


def test_tables_hold_what_the_ranks_say(measured):
    """Hits@10 by round, counted again from the ranks."""
    table = pd.read_csv(Layout(str(measured[1])).table("by_round"))
    for system, seeds in SEEDS.items():
        best = [np.minimum.accumulate(known_ranks(system, seed), axis=1) for seed in range(seeds)]
        counted = np.mean([(ranks <= 10).mean(axis=0) for ranks in best], axis=0)
        found = table[(table["system"] == system) & (table["measure"] == "hits@10")]
        assert found["value"].tolist() == pytest.approx(counted.tolist(), rel=1e-5)


def test_summary_has_a_row_a_system_and_the_last_round(measured):
    """Rounds of the config, and the last one, each with its interval; systems in the order of the config."""
    table = pd.read_csv(Layout(str(measured[1])).table("summary"))
    assert table["system"].tolist() == ["text", "dar", "adafuse"]
    for column in (
        "hits@10 round 0",
        "hits@10 round 2",
        "hits@10 round 2 low",
        "mrr round 2",
        "bri round 2 high",
    ):
        assert column in table.columns
    assert not [column for column in table.columns if "round 1" in column]


def test_degradation_is_that_of_the_ranks(measured):
    """dar loses 5 ranks on 3 of 12 dialogues; adafuse is better on 11 of 12."""
    table = pd.read_csv(Layout(str(measured[1])).table("degradation")).set_index(["system", "round"])
    assert table.loc[("dar", 2), ["degradation_rate", "rank_drop", "improvement_rate"]].tolist() == [
        0.25,
        5,
        0,
    ]
    assert table.loc[("adafuse", 0), "improvement_rate"] == pytest.approx(11 / 12, rel=1e-5)


def test_second_writing_is_the_same_bytes(measured):
    """Tables and figures are a function of the ranks and the options."""
    config, results = measured
    before = files(results)
    run(MeasureOptions.parse(measure_options(config), "test"), results)
    assert files(results) == before


def test_no_table_holds_a_nan(measured):
    """Every cell is a number or a name, but for the baseline that a system does not have."""
    for name in TABLES:
        table = pd.read_csv(Layout(str(measured[1])).table(name)).drop(columns="baseline", errors="ignore")
        assert not table.isna().any(axis=None), name


def test_systems_without_a_baseline_are_measured(tmp_path):
    """Tables of comparisons are then empty but for their heading."""
    config = make_results(tmp_path)
    alone = {"systems": {"text": {}}, "order": ["text"]}
    run(MeasureOptions.parse(measure_options(config, **alone), "test"), tmp_path / "results")
    table = pd.read_csv(Layout(str(tmp_path / "results")).table("comparisons"))
    assert len(table) == 0
    assert "dialogues" in table.columns


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"evaluate": ["many"]}, "many.parquet does not exist"),
        ({"systems": {"dar": {"baseline": "txt"}}, "order": ["dar"]}, "no system is called 'txt'"),
        ({"hits": []}, "hits"),
    ],
)
def test_fault_is_one_line(measured, monkeypatch, changed, words):
    """What is missing is named."""
    config, results = measured
    options = json.dumps(measure_options(config, **changed))
    monkeypatch.setattr("sys.argv", ["measure", "--options", options, "--results", str(results)])
    with pytest.raises(DaitirError, match=words):
        main()
