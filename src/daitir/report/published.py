"""A run held against published figures: which rounds agree, and by how much the others differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from daitir.report.expected import ExpectedValues
from daitir.report.numbers import MINUS, cells, listed, rank, title_of
from daitir.report.run import Measured

DIGITS = 6  # of the tables; two values that differ beyond them are equal


@dataclass(frozen=True)
class Pair:
    """One round: the published and the measured value with its 95 % interval, in the published unit."""

    round: int
    published: float
    value: float
    low: float
    high: float
    agrees: bool

    @property
    def difference(self) -> float:
        """Measured minus published."""
        return self.value - self.published


@dataclass(frozen=True)
class Comparison:
    """Published values beside measured ones; without a pair, ``why_not`` says why."""

    expected: ExpectedValues
    pairs: tuple[Pair, ...]
    unmeasured: tuple[int, ...]
    why_not: str
    dialogues: int = 0
    candidates: int = 0

    @property
    def text(self) -> str:
        """Say in one sentence or two whether the run agrees; names between backticks."""
        if not self.pairs:
            return f"{self.why_not}, so it is not compared with “{self.expected.source}”."
        agreeing = [pair for pair in self.pairs if pair.agrees]
        largest = max(self.pairs, key=lambda pair: round(abs(pair.difference), DIGITS))
        by = f"{self.change(largest.difference)}, at round {largest.round}"
        what = f"“{self.expected.source}” in {title_of(self.expected.measure)}"
        rounds = f"{len(self.pairs)} {'round' if len(self.pairs) == 1 else 'rounds'}"
        who, within = f"`{self.expected.system}`", f"to within {self.tolerance}"
        text = f"{who} agrees with {what} at {len(agreeing) or 'none'} of {rounds}, {within};"
        text += f" it differs by up to {by}."
        if self.unmeasured:
            numbers = listed([str(round_) for round_ in self.unmeasured])
            text += f" Not measured: round{'s' if len(self.unmeasured) > 1 else ''} {numbers}."
        return text

    @property
    def tolerance(self) -> str:
        """The tolerance with its unit."""
        unit = "" if self.expected.k is None else " point" if self.expected.tolerance == 1 else " points"
        return f"{self.expected.tolerance:g}{unit}"

    def written(self, value: float) -> str:
        """Return a value as the table shows it: shares to a hundredth of a point, more than is published."""
        if self.expected.measure in ("mean_rank", "median_rank"):
            return rank(value)
        return f"{value:.2f}" if self.expected.k is not None else f"{value:.3f}"

    def signed(self, value: float) -> str:
        """Return a difference as the table shows it, with its sign."""
        text = self.written(abs(value))
        return text if float(text.replace(",", "")) == 0 else ("+" if value > 0 else MINUS) + text

    def change(self, value: float) -> str:
        """Return a difference with its unit."""
        return self.signed(value) + ("" if self.expected.k is None else " points")


def compare_all(expected: Iterable[ExpectedValues], runs: Mapping[str, Measured]) -> list[Comparison]:
    """Hold every published curve against the measured dialogue set that it names."""
    return [compare(one, runs.get(one.dialogues)) for one in expected]


def compare(expected: ExpectedValues, run: Measured | None) -> Comparison:
    """Hold one published curve against a run; what the run did not measure is said, not left out."""
    if run is None or expected.system not in run.systems:
        return _without(
            expected, f"`{expected.system}` was not measured on `{expected.dialogues}` in this run"
        )
    chosen = cells(run.tables.by_round, system=expected.system, measure=expected.measure)
    rows = dict(zip(chosen["round"].astype(int), chosen.itertuples(index=False), strict=True))
    if not rows:
        what = title_of(expected.measure)
        return _without(expected, f"{what} of `{expected.system}` was not measured in this run")
    pairs = [_pair(expected, round_, rows[round_]) for round_ in expected.rounds if round_ in rows]
    if not pairs:
        return _without(expected, f"`{expected.system}` was measured at none of the published rounds")
    return Comparison(
        expected,
        tuple(pairs),
        tuple(round_ for round_ in expected.rounds if round_ not in rows),
        "",
        run.dialogues.dialogues,
        run.dialogues.candidates,
    )


def _without(expected: ExpectedValues, why_not: str) -> Comparison:
    return Comparison(expected, (), tuple(expected.rounds), why_not)


def _pair(expected: ExpectedValues, round_: int, row: Any) -> Pair:
    scale = 1 if expected.k is None else 100
    value, low, high = (scale * float(number) for number in (row.value, row.low, row.high))
    published = expected.values[round_]
    agrees = round(abs(value - published), DIGITS) <= expected.tolerance
    return Pair(round_, published, value, low, high, agrees)
