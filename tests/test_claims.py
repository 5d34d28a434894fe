"""Claims put to the test, against ranks and intervals worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from daitir.config import ConfigError, load_config
from daitir.errors import DaitirError
from daitir.evaluation.claims import examine
from daitir.evaluation.grounds import Ground
from daitir.evaluation.rankings import Evaluation, Ranking
from daitir.report.claims import Claim
from tests.test_evaluation import frame

CLAIM = TypeAdapter(Claim)
BASELINES = {"dar": "text", "adafuse": "text"}


def ground(name="calm", queries=None, targets="t", **systems):
    """A dialogue set with the ranks of some systems, one matrix a seed."""
    frames = {system: frame(*seeds).assign(target=targets) for system, seeds in systems.items()}
    rankings = {system: Ranking.of(system, BASELINES.get(system), rows) for system, rows in frames.items()}
    return Ground(Evaluation(name, rankings, (10,), resamples=400, seed=0), queries or frames)


def ask(kind, *grounds, **asked):
    return examine(kind, {one.evaluation.dialogues: one for one in grounds}, dialogues="calm", **asked)


TEXT = [[10]] * 20
WORSE_15 = [[12]] * 15 + [[9]] * 5


@pytest.mark.parametrize(
    ("at_least", "verdict"), [(50, "holds"), (75, "not shown"), (95, "does not hold"), (0, "holds")]
)
def test_degrading_holds_where_the_whole_interval_is_above(at_least, verdict):
    """15 of 20 queries are worse: 75 %."""
    row = ask("degrades", ground(text=[TEXT], dar=[WORSE_15]), system="dar", round=0, at_least=at_least)
    assert (row["system_value"], row["verdict"]) == (pytest.approx(0.75), verdict)
    assert row["difference"] == pytest.approx(0.75 - at_least / 100)
    assert row["low"] < row["difference"] < row["high"]


def test_fewer_degraded_queries_are_told_by_mcnemar():
    """Of 20 queries dar makes 15 worse and adafuse 5 of these: 10 to 0, p = 2 / 2^10."""
    adafuse = [[12]] * 5 + [[9]] * 15
    row = ask(
        "better",
        ground(text=[TEXT], dar=[WORSE_15], adafuse=[adafuse]),
        system="adafuse",
        than="dar",
        measure="degradation_rate",
        round=0,
    )
    assert (row["system_value"], row["than_value"], row["difference"]) == (0.25, 0.75, -0.5)
    assert (row["test"], row["p"], row["verdict"]) == ("McNemar exact", pytest.approx(2**-9), "holds")


@pytest.mark.parametrize(
    ("system", "than", "verdict"),
    [("adafuse", "dar", "holds"), ("dar", "adafuse", "the opposite is shown"), ("dar", "same", "not shown")],
)
@pytest.mark.parametrize("measure", ["hits@10", "recall@10", "mrr", "log_rank", "bri"])
def test_better_knows_which_way_is_better(measure, system, than, verdict):
    """adafuse ranks all twenty targets first, dar at 20; of two equals nothing is shown."""
    here = ground(adafuse=[[[1, 1]] * 20], dar=[[[20, 20]] * 20], same=[[[20, 20]] * 20])
    row = ask("better", here, system=system, than=than, measure=measure, round=1)
    assert row["verdict"] == verdict


@pytest.mark.parametrize(("round_", "area"), [(1, np.log(4)), (2, (np.log(4) + np.log(2)) / 2)])
def test_area_ends_at_the_round_that_is_asked_for(round_, area):
    """Ranks 8, 2, 2: ln 8 to ln 2 has the mean ln 4, then ln 2."""
    here = ground(text=[[[8, 2, 2]] * 4], dar=[[[1, 1, 1]] * 4])
    row = ask("better", here, system="dar", than="text", measure="bri", round=round_)
    assert (row["than_value"], row["system_value"]) == (pytest.approx(area), 0)


def test_drop_is_the_mean_over_the_queries_made_worse():
    """dar loses 2 ranks on 15 queries, adafuse 6 and 8 on two: 7 against 2, though it loses fewer in all."""
    adafuse = [[16], [18]] + [[9]] * 18
    row = ask(
        "better",
        ground(text=[TEXT], dar=[WORSE_15], adafuse=[adafuse]),
        system="adafuse",
        than="dar",
        measure="rank_drop",
        round=0,
    )
    assert (row["system_value"], row["than_value"], row["difference"]) == (7, 2, 5)
    assert row["test"] == "swap"


def test_seeds_are_averaged_and_their_ends_stated():
    """Two trainings that hit all and none of ten targets: half, from 0 to 1 above one that hits none."""
    here = ground(text=[[[20]] * 10], adafuse=[[[1]] * 10, [[30]] * 10])
    row = ask("better", here, system="adafuse", than="text", measure="hits@10", round=0)
    assert (row["difference"], row["seeds"]) == (0.5, 2)
    assert (row["lowest_seed"], row["highest_seed"]) == (0, 1)


@pytest.mark.parametrize(("same", "test"), [(True, "sign flip"), (False, "shuffle")])
def test_loss_is_paired_where_the_dialogues_are_the_same(same, test):
    """From calm to noisy dar loses all of thirty targets and adafuse none; others are dealt out anew."""
    calm = ground(dar=[[[1]] * 30], adafuse=[[[1]] * 30])
    noisy = ground("noisy", targets="t" if same else "u", dar=[[[20]] * 30], adafuse=[[[2]] * 30])
    asked = {"system": "adafuse", "than": "dar", "measure": "hits@10", "round": 0, "noisier": "noisy"}
    row = ask("robust", calm, noisy, **asked)
    assert (row["system_value"], row["than_value"], row["difference"]) == (0, 1, -1)
    assert (row["test"], row["verdict"]) == (test, "holds")
    turned = ask("robust", calm, noisy, **asked | {"system": "dar", "than": "adafuse"})
    assert turned["verdict"] == "the opposite is shown"


def gates(*seeds):
    """Rows of 20 dialogues of two rounds; each seed says how the gate follows from the similarity."""
    rows = [
        {"seed": seed, "dialogue_id": f"d{d}", "round": r, "similarity": (7 * d + 3 * r) % 41 / 41}
        for seed in range(len(seeds))
        for d in range(20)
        for r in range(2)
    ]
    table = pd.DataFrame(rows)
    return table.assign(gate=[seeds[row["seed"]](row["similarity"]) for row in rows])


@pytest.mark.parametrize(
    ("seeds", "value", "verdict"),
    [
        ([lambda s: 0.9 - s**2 / 2], -1, "holds"),
        ([lambda s: 0.1 + s / 2], 1, "the opposite is shown"),
        ([lambda s: 0.9 - s / 2, lambda s: 0.1 + s**3], 0, "not shown"),
    ],
)
def test_gate_falls_by_the_order_alone(seeds, value, verdict):
    """A gate that falls in any shape has the correlation -1; seeds are averaged."""
    here = ground(queries={"adafuse": gates(*seeds)}, adafuse=[[[1, 1]] * 20] * len(seeds))
    row = ask("gate-falls", here, system="adafuse")
    assert (row["difference"], row["verdict"]) == (pytest.approx(value), verdict)
    assert (row["lowest_seed"], row["highest_seed"]) == pytest.approx(
        (-1, 1) if value == 0 else (value, value)
    )


@pytest.mark.parametrize("gate", [lambda s: None, lambda s: 0.7])
def test_schedule_is_no_gate(gate):
    """What weighs all queries of a round alike falls with nothing."""
    here = ground(queries={"adafuse": gates(gate)}, adafuse=[[[1, 1]] * 20])
    with pytest.raises(DaitirError, match="gate of 'adafuse', which has none"):
        ask("gate-falls", here, system="adafuse")


SYSTEM = {"claim": "It helps.", "system": "dar", "dialogues": "few"}


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"kind": "better", "than": "dar", "measure": "mrr", "round": 0}, "compared with itself"),
        ({"kind": "better", "than": "text", "measure": "bri", "round": 0}, "round 1 or later"),
        (
            {"kind": "better", "than": "text", "measure": "hits@0", "round": 0},
            "no measure is called 'hits@0'",
        ),
        (
            {"kind": "robust", "than": "text", "measure": "rank_drop", "round": 0, "noisier": "b"},
            "no measure",
        ),
        ({"kind": "robust", "than": "text", "measure": "mrr", "round": 0, "noisier": "few"}, "are the same"),
        ({"kind": "degrades", "round": 0, "at_least": 100}, "less than 100"),
        ({"kind": "faster"}, "faster"),
    ],
)
def test_claim_that_cannot_be_is_refused(claim, words):
    """The config says what is wrong with it."""
    with pytest.raises(ValidationError, match=words):
        CLAIM.validate_python(SYSTEM | claim)


def test_claim_of_systems_and_sets_that_are_not_there_is_refused():
    """Names, rounds, baselines and images, each by its key."""

    class Known:
        def __init__(self, baseline=None, images=None):
            self.baseline, self.images = baseline, images

        def is_measured_on(self, dialogues):
            return dialogues != "other"

    systems = {"text": Known(), "dar": Known("text", "sd3"), "add": Known("raw", "sd3")}
    rounds = {"few": 3, "other": 3}

    def faults(**claim):
        return list(CLAIM.validate_python({"claim": "It helps.", **claim}).faults(systems, rounds))

    harm = {"kind": "degrades", "dialogues": "few", "round": 2, "at_least": 50}
    assert faults(system="dar", **harm) == []
    assert faults(system="dra", **harm) == ["system: no system is called 'dra'; there are add, dar, text"]
    assert faults(system="text", **harm) == [
        "system: 'text' has no baseline to be worse than: name one in its `baseline`"
    ]
    assert faults(system="dar", **harm | {"round": 3}) == ["round: the dialogue set ends at round 2"]
    assert faults(system="dar", **harm | {"dialogues": "other"}) == [
        "system: 'dar' is not measured on 'other': name it there too"
    ]
    drop = {"kind": "better", "than": "add", "measure": "rank_drop", "dialogues": "few", "round": 1}
    assert faults(system="dar", **drop) == ["than: its baseline is 'raw', not 'text'; rank_drop needs one"]
    assert faults(kind="gate-falls", system="text", dialogues="few") == [
        "system: 'text' looks at no images, so nothing weighs them"
    ]


def test_config_takes_claims_to_the_measures():
    """Its faults begin with the path of the key; without any, the measures read what the workflow writes."""
    values = yaml.safe_load((Path(__file__).parents[1] / "config/smoke.yaml").read_text())
    claim = {"kind": "degrades", "claim": "It harms.", "system": "dar", "round": 2, "at_least": 50}
    values["report"]["claims"] = [claim | {"dialogues": "few-val"}, claim | {"dialogues": "few-train"}]
    with pytest.raises(ConfigError) as error:
        load_config(values)
    (line,) = error.value.lines
    assert line.startswith(
        "config: report.claims.1.dialogues: no evaluated dialogue set is called 'few-train'"
    )
    del values["report"]["claims"][1]
    written = load_config(values).report.model_dump(mode="json")["claims"]
    assert [CLAIM.validate_python(one).measured for one in written] == [
        {"system": "dar", "dialogues": "few-val", "round": 2, "at_least": 50}
    ]
