"""What the page knows of a run: its systems and dialogue sets, and the tables that were measured."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from daitir.report.numbers import cell, cells


@dataclass(frozen=True)
class System:
    """A row of the tables: encoder, reformulator, generator if any, method and baseline if any.

    ``place`` is its place in the config and decides its colour. An oracle has the systems that it chooses
    from (``of``), and neither encoder nor queries nor images.
    """

    name: str
    encoder: str
    queries: str
    images: str | None
    method: str
    baseline: str | None
    place: int
    of: tuple[str, ...] = ()

    @property
    def is_oracle(self) -> bool:
        """Whether it knows the target, and is no system but an upper line."""
        return bool(self.of)


@dataclass(frozen=True)
class DialogueSet:
    """A dialogue set: how many dialogues search among how many candidates, and in how many shards it lies."""

    name: str
    corpus: str
    dialogues: int
    candidates: int
    shards: int


@dataclass(frozen=True)
class Tables:
    """The tables of the measures by dialogue set: by round, degradation, comparisons, gates."""

    by_round: pd.DataFrame
    degradation: pd.DataFrame
    comparisons: pd.DataFrame
    gates: pd.DataFrame

    def of(self, dialogues: str) -> "Tables":
        """Return the rows of one dialogue set."""
        parts = (self.by_round, self.degradation, self.comparisons, self.gates)
        return Tables(*(cells(part, dialogues=dialogues) for part in parts))


@dataclass(frozen=True)
class Measured:
    """One dialogue set with its systems, its tables, and the measure that heads the page (Hits@k)."""

    dialogues: DialogueSet
    systems: dict[str, System]
    tables: Tables
    headline: int
    rounds: tuple[int, ...]

    @property
    def hits(self) -> str:
        """Name of the headline measure in the tables."""
        return f"hits@{self.headline}"

    @cached_property
    def last(self) -> int:
        """The last round."""
        return int(self.tables.by_round["round"].max())

    @cached_property
    def shown_rounds(self) -> list[int]:
        """Rounds of the main table: those asked for that exist, and the last."""
        known = set(self.tables.by_round["round"])
        return sorted({*(round_ for round_ in self.rounds if round_ in known), self.last})

    def value(self, system: str, measure: str, round_: int) -> Any:
        """Return a row of ``by_round``: value, low, high, seeds, lowest_seed, highest_seed."""
        return cell(self.tables.by_round, system=system, measure=measure, round=round_)

    def change(self, system: str, measure: str, round_: int) -> Any:
        """Return a row of ``comparisons``: difference, low, high, p, p_holm, verdict."""
        return cell(self.tables.comparisons, system=system, measure=measure, round=round_)

    def harm(self, system: str, round_: int) -> Any:
        """Return a row of ``degradation``."""
        return cell(self.tables.degradation, system=system, round=round_)

    @cached_property
    def measures(self) -> list[str]:
        """Measures of the table of all systems at the last round."""
        known = dict.fromkeys(cells(self.tables.by_round, round=self.last)["measure"])
        recall = f"recall@{self.headline}"
        return [name for name in known if name == recall or not name.startswith(("recall", "log_rank"))]

    @property
    def shown_comparisons(self) -> list[Any]:
        """Tests shown on the page: the headline measure at the shown rounds, all others at the last."""
        table = self.tables.comparisons
        headline = (table["measure"] == self.hits) & table["round"].isin(self.shown_rounds)
        return list(table[headline | (table["round"] == self.last)].itertuples(index=False))

    @property
    def searching(self) -> list[System]:
        """Systems that search: all but oracles."""
        return [system for system in self.systems.values() if not system.is_oracle]

    @property
    def compared(self) -> list[System]:
        """Systems that have a baseline."""
        return [system for system in self.systems.values() if system.baseline is not None]

    @property
    def fusions(self) -> list[System]:
        """Systems that look at generated images and are compared with one that does not."""
        return [
            system
            for system in self.compared
            if system.images is not None and self.systems[str(system.baseline)].images is None
        ]
