"""Measure: turn the ranks of all systems into tables and figures. Arithmetic only; it takes seconds."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from daitir.charts import Chart, Line
from daitir.command import parse_call, stage_parser
from daitir.errors import DaitirError, exit_with_one_line
from daitir.evaluation.claims import COLUMNS, examine
from daitir.evaluation.comparisons import comparisons
from daitir.evaluation.gates import gate_by_similarity
from daitir.evaluation.grounds import QUERY_COLUMNS, Ground
from daitir.evaluation.rankings import Evaluation, Ranking
from daitir.evaluation.seeds import by_seed
from daitir.layout import Layout
from daitir.options import Options
from daitir.plots import draw_chart
from daitir.ranks import ranks_provenance, read_ranks
from daitir.report.claims import Claim
from daitir.report.expected import ExpectedValues
from daitir.seals import write_sealed

HEADLINE = 10
KEYS = ["dialogues", "system", "round"]


class ComparedSystem(Options):
    """What the measures know of a system: with which other one it is compared, and on which dialogue sets."""

    baseline: str | None = None
    dialogues: tuple[str, ...] | None = None

    def is_measured_on(self, dialogues: str) -> bool:
        """Whether the system has ranks on a dialogue set."""
        return self.dialogues is None or dialogues in self.dialogues


class MeasureOptions(Options):
    """Which systems and dialogue sets are measured, and how."""

    code: str
    evaluate: tuple[str, ...] = Field(min_length=1)
    systems: dict[str, ComparedSystem] = Field(min_length=1)
    order: tuple[str, ...]
    hits: tuple[int, ...] = Field(min_length=1)
    rounds: tuple[int, ...]
    resamples: int = Field(ge=100)
    seed: int
    expected: tuple[ExpectedValues, ...] = ()
    claims: tuple[Claim, ...] = ()

    def systems_on(self, dialogues: str) -> list[str]:
        """Return the systems that are measured on a dialogue set, in the order of the config."""
        return [name for name in self.order if self.systems[name].is_measured_on(dialogues)]


def run(options: MeasureOptions, results: Path) -> None:
    """Read ``ranks/`` and write ``tables/`` and ``figures/``, all under one results folder."""
    layout = Layout(str(results))
    rows: dict[str, list[dict[str, Any]]] = {
        "by_round": [],
        "by_seed": [],
        "degradation": [],
        "comparisons": [],
        "gates": [],
    }
    grounds = {}
    for dialogues in options.evaluate:
        frames = {
            system: read_ranks(Path(layout.ranks(system, dialogues)))
            for system in options.systems_on(dialogues)
        }
        evaluation = evaluate(options, dialogues, frames)
        rows["by_round"] += evaluation.by_round()
        rows["by_seed"] += by_seed(evaluation)
        rows["degradation"] += evaluation.degradation()
        oracles = {system for system in frames if is_oracle(Path(layout.ranks(system, dialogues)))}
        rows["comparisons"] += comparisons(evaluation, oracles)
        for system, frame in frames.items():
            if system not in oracles:  # the gates of one are those of whichever system it chose
                rows["gates"] += gate_by_similarity(dialogues, system, frame)
        asked = {claim.system for claim in options.claims} & frames.keys()
        grounds[dialogues] = Ground(evaluation, {name: frames[name][QUERY_COLUMNS] for name in asked})
    tables = {name: pd.DataFrame(found, columns=None if found else KEYS) for name, found in rows.items()}
    tables["summary"] = summary(options, tables["by_round"])
    tables["claims"] = claims(options, grounds)
    for name, table in tables.items():
        write_sealed(Path(layout.table(name)), to_csv(table))
    for name, chart in figures(options, tables).items():
        draw_chart(chart).write(Path(layout.figure(name)))


def is_oracle(ranks: Path) -> bool:
    """Whether ranks were chosen from those of other systems, by the target."""
    return "of" in ranks_provenance(ranks)["options"].get("fusion", {})


def evaluate(options: MeasureOptions, dialogues: str, frames: dict[str, pd.DataFrame]) -> Evaluation:
    """Return the rankings of one dialogue set, ready to be measured."""
    for system in frames:
        baseline = options.systems[system].baseline
        if baseline is not None and baseline not in frames:
            raise DaitirError(
                f"systems.{system}.baseline: no system is called {baseline!r} on {dialogues!r}; mend the name"
            )
    rankings = {
        name: Ranking.of(name, options.systems[name].baseline, frame) for name, frame in frames.items()
    }
    return Evaluation(dialogues, rankings, options.hits, options.resamples, options.seed)


def claims(options: MeasureOptions, grounds: dict[str, Ground]) -> pd.DataFrame:
    """Return a row a claim, in the order of the config."""
    rows = []
    for claim in options.claims:
        for name in {claim.dialogues, getattr(claim, "noisier", claim.dialogues)} - grounds.keys():
            raise DaitirError(f"a claim is about {name!r}, which is not evaluated: mend report.claims")
        rows.append({"claim": claim.claim} | examine(claim.kind, grounds, **claim.measured))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summary(options: MeasureOptions, by_round: pd.DataFrame) -> pd.DataFrame:
    """Return one row a system: its measures at the chosen rounds and the last, each with its interval."""
    last = by_round.groupby("dialogues")["round"].transform("max")
    chosen = by_round[by_round["round"].isin(options.rounds) | (by_round["round"] == last)]
    wanted = [f"hits@{k}" for k in options.hits] + ["mrr", "median_rank", "mean_rank", "bri"]
    rows = []
    for (dialogues, system), group in chosen.groupby(["dialogues", "system"], sort=False):
        row = {"dialogues": dialogues, "system": system, "baseline": options.systems[str(system)].baseline}
        row["seeds"] = group["seeds"].iloc[0]
        for cell in (
            group.set_index(["measure", "round"]).loc[wanted_cells(group, wanted)].reset_index().itertuples()
        ):
            name = f"{cell.measure} round {cell.round}"
            row |= {name: cell.value, f"{name} low": cell.low, f"{name} high": cell.high}
        rows.append(row)
    return pd.DataFrame(rows)


def wanted_cells(group: pd.DataFrame, wanted: list[str]) -> list[tuple[str, int]]:
    """Return the (measure, round) pairs that a system has, measures in the order asked for."""
    known = set(zip(group["measure"], group["round"], strict=True))
    return [
        (measure, round_)
        for measure in wanted
        for round_ in sorted(group["round"].unique())
        if (measure, round_) in known
    ]


def to_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV; six digits are more than any interval here is wide."""
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def headline(hits: Iterable[int]) -> int:
    """Return the k of the main table and figure: 10 as in the papers, or the largest one measured."""
    return HEADLINE if HEADLINE in hits else max(hits)


def figures(options: MeasureOptions, tables: dict[str, pd.DataFrame]) -> dict[str, Chart]:
    """Return what the figures show, by name."""
    k = headline(options.hits)
    by_round = tables["by_round"]
    hits = by_round[by_round["measure"] == f"hits@{k}"]
    found = {}
    for name in options.evaluate:
        hit_lines = _lines(options, hits, name, "round", "value", "low", "high")
        hit_lines += _published(options, name, k)
        found[f"hits-{name}"] = Chart(f"Hits@{k}, {name}", "round", hit_lines, per_cent=True)
        rate = ("degradation_rate", "degradation_rate_low", "degradation_rate_high")
        lost = _lines(options, tables["degradation"], name, "round", *rate)
        title = f"Queries ranked worse than by the baseline, {name}"
        found[f"degradation-{name}"] = Chart(title, "round", lost, per_cent=True)
        gates = _lines(options, tables["gates"], name, "similarity", "gate", "gate_q10", "gate_q90")
        title = f"Weight of the text by agreement of text and image, {name}"
        found[f"gate-{name}"] = Chart(title, "cos(text, image)", gates, per_cent=False)
    return found


def _lines(options: MeasureOptions, table: pd.DataFrame, dialogues: str, *columns: str) -> list[Line]:
    if table.empty:
        return []
    rows = table[table["dialogues"] == dialogues]
    found = []
    for place, system in enumerate(options.order):
        own = rows[rows["system"] == system]
        if len(own):
            x, value, low, high = (own[column].tolist() for column in columns)
            found.append(Line(system, place, x, value, low, high))
    return found


def _published(options: MeasureOptions, dialogues: str, k: int) -> list[Line]:
    """Return the published curves of Hits@k on a dialogue set, of the systems that are measured on it."""
    systems, found = options.systems_on(dialogues), []
    for one in options.expected:
        if (one.dialogues, one.measure) == (dialogues, f"hits@{k}") and one.system in systems:
            shares = [one.values[round_] / 100 for round_ in one.rounds]
            place = options.order.index(one.system)
            name = f"{one.system}, published"
            found.append(Line(name, place, one.rounds, shares, shares, shares, is_published=True))
    return found


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--results",
        type=Path,
        required=True,
        help="results folder: ranks are read, tables and figures written",
    )
    call = parse_call(parser, MeasureOptions)
    run(call.options, call.arguments.results)


if __name__ == "__main__":
    exit_with_one_line(main)
