"""The analyses as the page shows them: what each asks, its figure, and its table at the last round."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from daitir.analyses.options import WITHOUT_FIGURE, Analysis
from daitir.layout import Layout
from daitir.report.numbers import cells, difference, rank, share, signed
from daitir.report.reading import read_csv, read_figure
from daitir.report.run import Measured


class Cell(NamedTuple):
    """A cell of a table: what is read, what stands small below it, and what it is sorted by."""

    text: str
    below: str = ""
    value: float | None = None


TO = " \N{EN DASH} "
NOTHING = Cell("\N{EN DASH}", "", -1.0)


@dataclass(frozen=True)
class Grid:
    """A table: headings, rows, and how many of the first columns are words."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: int = 1


@dataclass(frozen=True)
class Analysed:
    """One analysis of one dialogue set."""

    name: Analysis
    title: str
    note: str
    figure: str | None
    grid: Grid


class Shown(NamedTuple):
    """How an analysis is told."""

    title: str
    note: str
    grid: Callable[[pd.DataFrame, Measured], Grid]


def analyses_of(layout: Layout, run: Measured, names: Sequence[Analysis]) -> list[Analysed]:
    """Return what the page shows of the analyses of a dialogue set, in the order of `SHOWN`."""
    found = []
    for name, shown in SHOWN.items():
        if name not in names:
            continue
        table = read_csv(Path(layout.table(name)))
        own = cells(table, dialogues=run.dialogues.name)
        drawn = name not in WITHOUT_FIGURE
        figure = read_figure(Path(layout.figure(f"{name}-{run.dialogues.name}"))) if drawn else None
        grid = shown.grid(own, run) if len(own) else Grid((), ())  # no system takes part: no measures either
        found.append(Analysed(name, shown.title, shown.note, figure, grid))
    return found


def headline(table: pd.DataFrame, run: Measured) -> pd.DataFrame:
    """Return the rows of the headline measure at the last round."""
    return cells(table, measure=run.hits, round=run.last)


def rows_of(table: pd.DataFrame) -> list[Any]:
    """Return the rows of a table, each with a field a column."""
    return list(table.itertuples(index=False))


def hits(row: Any) -> Cell:
    """Hits with their interval below."""
    return Cell(share(row.value), share(row.low) + TO + share(row.high), row.value)


def by(column: str) -> Callable[[pd.DataFrame, Measured], Grid]:
    """Return a grid of a row a system and a column a variant; the cells are Hits@k at the last round."""

    def grid(table: pd.DataFrame, run: Measured) -> Grid:
        chosen = headline(table, run)
        variants = list(dict.fromkeys(chosen[column]))
        found = {(row.system, getattr(row, column)): row for row in rows_of(chosen)}
        rows = [
            [Cell(name), *(hits(found[name, one]) if (name, one) in found else NOTHING for one in variants)]
            for name in dict.fromkeys(chosen["system"])
        ]
        return Grid(["System", *map(str, variants)], rows)

    return grid


def of_queries(table: pd.DataFrame, run: Measured) -> Grid:
    """Cut queries and ties at the last round."""
    rows = []
    for row in rows_of(cells(table, round=run.last)):
        cut = NOTHING if pd.isna(row.truncated) else Cell(share(row.truncated), "", row.truncated)
        tied = [Cell(share(row.tied), "", row.tied), Cell(f"{row.ties_mean:.2f}", "", row.ties_mean)]
        rows.append([Cell(row.system), cut, *tied, Cell(f"{row.ties_largest:,}", "", row.ties_largest)])
    return Grid(["System", "Cut, %", "Tied with the target, %", "Ties, mean", "Ties, largest"], rows)


def of_changes(table: pd.DataFrame, run: Measured) -> Grid:
    """Ranks lost at some quantiles, at the last round; a gain is below zero."""
    chosen = cells(table, round=run.last)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    rows = []
    for name in dict.fromkeys(chosen["system"]):
        own = cells(chosen, system=name).set_index("quantile")["ranks_lost"]
        lost = own[list(levels)].tolist()
        rows.append([Cell(name), *(Cell(difference("rank_drop", value), "", value) for value in lost)])
    return Grid(["System", *(f"{level:.0%} of queries below" for level in levels)], rows)


def of_gains(table: pd.DataFrame, run: Measured) -> Grid:
    """The queries that moved furthest at the last round, with their texts."""
    rows = []
    for row in rows_of(cells(table, round=run.last)):
        ranks = (Cell(rank(value), "", value) for value in (row.baseline_rank, row.rank))
        ratio = Cell(signed(row.log_ratio), "", row.log_ratio)
        rows.append([Cell(row.system), Cell(str(row.dialogue_id)), Cell(row.query_text), *ranks, ratio])
    return Grid(["System", "Dialogue", "Query", "Rank of the baseline", "Rank", "ln of their ratio"], rows, 3)


def of_alpha(table: pd.DataFrame, run: Measured) -> Grid:
    """The best weight of every round, beside the text alone and the images alone."""
    rows = []
    chosen = cells(table, measure=run.hits)
    for key, own in chosen.groupby(["encoder", "queries", "images", "round"], sort=False):
        *names, round_ = map(str, key)
        best = max(rows_of(own), key=lambda row: row.value)
        ends = [hits(rows_of(cells(own, alpha=alpha))[0]) for alpha in (1.0, 0.0)]
        words = [Cell(" · ".join(names)), Cell(round_, "", float(round_))]
        rows.append([*words, Cell(f"{best.alpha:.1f}", "", best.alpha), hits(best), *ends])
    headings = ["Encoder · queries · images", "Round", "Best weight of the text", "Hits there"]
    return Grid([*headings, "Text alone", "Images alone"], rows)


def of_cost(table: pd.DataFrame, run: Measured) -> Grid:
    """Seconds a query by stage, beside Hits@k at the last round."""
    stages = ("reformulate", "generate", "encode", "rank")
    rows = []
    for row in rows_of(headline(table, run)):
        spent = [float(getattr(row, f"seconds_{stage}")) for stage in stages]
        seconds = (Cell(f"{value:.3f}", "", value) for value in (*spent, row.seconds))
        rows.append([Cell(row.system), *seconds, hits(row)])
    return Grid(["System", *(f"{stage}, s" for stage in stages), "together, s", run.hits.capitalize()], rows)


SHOWN: Mapping[Analysis, Shown] = {
    "length": Shown(
        "Longer and shorter dialogues",
        "Dialogues in thirds by their words over all rounds: do longer ones lose?",
        by("length"),
    ),
    "repetition": Shown(
        "Dialogues that repeat themselves",
        "Dialogues by the share of their turns that say again what an earlier turn said.",
        by("repeated"),
    ),
    "images": Shown(
        "Number of images",
        "The first K of the generated images; a trained fusion keeps its weights (DAR, section 5.3).",
        by("images"),
    ),
    "alpha": Shown(
        "Weight of the text",
        "DAR's weighted sum from images alone (0) to text alone (1), at every round. The best weight is "
        "chosen by the very queries that it is measured on: it bounds what a schedule could do, and is "
        "no system.",
        of_alpha,
    ),
    "stress": Shown(
        "Wrong images, wrong texts",
        "What remains when something is wrong: images of another dialogue, one image that tells nothing, "
        "the images of round 0 throughout, the text of the round before, a quarter of the text about "
        "another target.",
        by("stress"),
    ),
    "cost": Shown(
        "Cost against effect",
        "Seconds a query of all jobs that it passes through, loading of models included (DAR, section "
        "5.4). Training and the encoding of the corpus, done once, are not counted.",
        of_cost,
    ),
    "changes": Shown(
        "How far ranks move",
        "ln(rank / rank of the baseline) at the last round, queries sorted by it; in the table, ranks "
        "lost: below zero they are gained.",
        of_changes,
    ),
    "queries": Shown(
        "Cut queries and ties",
        "What the encoder did not see of a query, and how often another candidate has the very score of "
        "the target.",
        of_queries,
    ),
    "gains": Shown(
        "Largest gains and losses",
        "By ln(rank / rank of the baseline) at the last round.",
        of_gains,
    ),
}
