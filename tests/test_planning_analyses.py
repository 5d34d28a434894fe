"""What the workflow asks of the config for analyses and TREC runs."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
import yaml

from daitir.analyses.options import RANKING, Analysis
from daitir.config import ConfigError, load_config
from daitir.planning import Plan
from daitir.stages.analyse import AnalyseOptions
from daitir.stages.draw_analyses import DrawOptions
from daitir.stages.write_runs import WriteRunsOptions

ROOT = Path(__file__).parents[1]
FOLDER = "results/smoke"


def plan(**report):
    """The smoke preset, with other settings of the report."""
    values = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    return Plan(load_config(values | {"report": values["report"] | report}))


JOB = SimpleNamespace(dialogues="few-val")


def test_only_what_is_asked_for_is_made():
    """In an order of its own, each once; a list of queries has no figure."""
    made = plan(analyses=["gains", "length", "gains"])
    assert made.analysed == [f"{FOLDER}/analyses/{name}/few-val.csv" for name in ("length", "gains")]
    assert made.analysis_figures == [f"{FOLDER}/figures/length-few-val.{form}" for form in ("svg", "png")]
    assert plan(analyses=[]).analysis_tables == []


def test_by_default_the_ranks_are_read_and_nothing_is_ranked_anew():
    """What takes long is asked for by name."""
    values = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    del values["report"]
    made = Plan(load_config(values))
    assert set(made.analyses) == {"queries", "length", "repetition", "changes", "gains", "cost"}
    assert made.analysis_kinds == ["ranks"]
    assert not [path for path in made.analysis_inputs("ranks")(JOB) if "corpora" in path or "images" in path]


def test_an_analysis_reads_what_it_needs():
    """Ranks and dialogues for lengths; all features and weights to rank anew."""
    ranks = [f"{FOLDER}/ranks/{name}/few-val.parquet" for name in ("text", "dar", "adafuse")]
    assert sorted(plan(analyses=["length"]).analysis_inputs("ranks")(JOB)) == sorted(
        [f"{FOLDER}/dialogues/few-val.parquet", *ranks]
    )
    made = plan(analyses=["stress"])
    stressed = made.analysis_inputs("features")(JOB)
    assert {f"{FOLDER}/fusions/adafuse/blip/sd3/llm/seed-{n}/model.safetensors" for n in (0, 1)} < set(
        stressed
    )
    sources = json.loads(made.analysis_sources("features")(JOB))
    assert set(sources["dar"]) == RANKING
    assert sources["text"]["pictures"] == []


def test_seconds_are_read_where_the_jobs_left_them():
    """They are no inputs: no rule makes them."""
    made = plan(analyses=["cost"])
    assert not [path for path in made.analysis_inputs("ranks")(JOB) if "benchmarks" in path]
    found = json.loads(made.analysis_sources("ranks")(JOB))
    assert set(found["text"]["seconds"]) == {"reformulate", "encode", "rank"}
    known = [made.layout.benchmark("images", "sd3", "llm", "few-val", f"shard-{n}-of-2") for n in (0, 1)]
    assert found["dar"]["seconds"]["generate"] == known


def test_analyses_of_one_kind_are_one_job():
    """What they read and rank is read and ranked once; each has a table of its own."""
    made = plan(analyses=["alpha", "length", "stress"])
    assert {kind: made.analyses_of(kind) for kind in made.analysis_kinds} == {
        "ranks": ["length"],
        "features": ["alpha", "stress"],
    }
    tables = [f"{FOLDER}/analyses/{name}/{{dialogues}}.csv" for name in ("alpha", "stress")]
    assert made.analysed_of("features") == tables


@pytest.mark.parametrize("name", get_args(Analysis))
def test_options_are_those_of_the_stages(name):
    """What the plan writes, the stage reads."""
    made = plan(analyses=[name])
    (kind,) = made.analysis_kinds
    assert AnalyseOptions.parse(json.loads(made.analysis_options(kind)(JOB)), "plan").analyses == (name,)
    assert DrawOptions.parse(json.loads(made.drawing_options(None)), "plan").analyses == (name,)


def test_runs_have_a_file_a_round_and_seed():
    """Three rounds of three systems, one of which has two seeds; and the judgements."""
    made = plan()
    assert len(made.runs) == 1 + 3 * (1 + 1 + 2)
    assert f"{FOLDER}/runs/adafuse.few-val.r2.seed-1.trec" in made.runs
    assert f"{FOLDER}/runs/text.few-val.r0.trec" in made.runs
    assert WriteRunsOptions.parse(json.loads(made.runs_options(None)), "plan").depth == 1000
    assert plan(runs=False).runs == plan(runs=False).judgements == []


@pytest.mark.parametrize(
    ("report", "line"),
    [
        ({"analyses": ["lengths"]}, "report.analyses.0: Input should be 'queries'"),
        ({"runs_depth": 9}, "report.runs_depth: Input should be greater than or equal to 10"),
    ],
)
def test_unknown_analysis_is_one_line(report, line):
    """With the path of its key."""
    with pytest.raises(ConfigError) as error:
        plan(**report)
    assert [found for found in error.value.lines if found.startswith(f"config: {line}")] == error.value.lines
