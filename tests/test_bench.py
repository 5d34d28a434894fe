"""The measurements run, on a few items; what they find is for docs/performance.md, not for a test."""

import pytest
import yaml
from bench import encoding, generation, page, ranking, reformulation, stores, training
from bench.common import Row, exponent

from daitir.generators import DiffusersOptions
from daitir.reformulators import TransformersOptions
from tests.workflow.conftest import ROOT, new_run_folder

CONFIG = ROOT / "config.yaml"


def of_config(part, name):
    return yaml.safe_load(CONFIG.read_text())[part][name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return new_run_folder(tmp_path_factory.mktemp("bench") / "run").folder


@pytest.fixture(autouse=True)
def in_a_folder(folder, monkeypatch):
    """Measurements name files as seen from the folder of a run; mini is made there."""
    monkeypatch.chdir(folder)


def names_of(rows):
    rows = list(rows)
    assert all(row.ratio > 0 for row in rows)
    return [row.what for row in rows]


def test_ranking(tmp_path):
    """Both ways rank alike, in memory and out of a store."""
    assert names_of(ranking.measure(40, 20, 2000, 16)) == ["rank", "rank", "rank together"]
    assert names_of(ranking.measure_large(1500, 16)) == ["memory of ranking, GiB"]


def test_stores_and_training(tmp_path, monkeypatch):
    """A store is written and read, an epoch of a smaller network trained."""
    monkeypatch.setattr(training, "PROJECTION", 16)
    monkeypatch.setattr(training, "HIDDEN", 32)
    names = names_of(stores.measure(50, 8, tmp_path))
    assert names == ["write a feature store", "read a feature store"]
    assert names_of(training.measure(128, tmp_path)) == ["train ADaFuSE, an epoch"]


def test_models(tmp_path):
    """The stages and the other side do the same work."""
    drawing = DiffusersOptions.model_validate(of_config("generators", "sd3") | {"steps": 2, "batch_size": 2})
    asking = TransformersOptions.model_validate(of_config("reformulators", "llm"))
    assert names_of(encoding.measure(encoding.mini_case(6), tmp_path)) == [
        "encode a folder",
        "encode a shard",
    ]
    orders = generation.of_dialogues(drawing, asking, 1)
    assert len(orders) == 11 * drawing.images
    assert names_of(generation.measure(drawing, orders[:3])) == ["generate"]
    rows = list(reformulation.measure(asking, 1, repeats=1))
    assert names_of(rows) == ["reformulate", "reformulate", "reformulate"]
    assert all("11 of 11 queries the same" in row.figures for row in rows)


def test_rows_are_renewed_in_their_order():
    """A measurement replaces its own rows of the page and leaves the others."""
    empty = f"# Title\n\n{page.HEAD}\n| --- |\n\ntext\n"
    row = Row("read", "numpy", 1.234, "at most 1.5", "3 ms")
    table = page.table_of("stores", [row])
    assert "| read | numpy | **1.23** | at most 1.5 | 3 ms | `python -m bench.stores` |" in table
    assert "(not met)" in page.table_of("stores", [Row("read", "numpy", 1.6, "at most 1.5", "3 ms")])
    once = page.renew(empty, "stores", table)
    before = page.renew(once, "ranking", page.table_of("ranking", [row]))
    lines = [line for line in page.renew(before, "stores", table).splitlines() if "bench." in line]
    assert ["bench.ranking" in line for line in lines] == [True, False]
    assert page.renew(once, "stores", table) == once


def test_exponent_is_that_of_a_power():
    """Costs that grow as the square have the exponent 2."""
    assert exponent([1, 10, 100], [3, 300, 30_000]) == pytest.approx(2)
