"""What a run answers to the claims of its config: a verdict, and a sentence with the numbers and the test."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daitir.errors import DaitirError
from daitir.layout import Layout
from daitir.report.claims import Claim, DegradesClaim, GateFallsClaim, RobustClaim
from daitir.report.configured import Configured
from daitir.report.numbers import difference, measured, p_value, share, signed, title_of
from daitir.report.reading import read_csv

HOLDS, NOT_SHOWN = "holds", "not shown"
TESTS = {
    "McNemar exact": "McNemar's exact test",
    "sign flip": "a randomisation test that flips the signs of the differences",
    "swap": "a randomisation test that swaps the two systems in dialogues",
    "shuffle": "a randomisation test that deals the dialogues of both sets out anew",
}


@dataclass(frozen=True)
class Answer:
    """A claim with its row of the table; names of systems and dialogue sets stand between backticks."""

    claim: Claim
    row: Any
    baseline: str | None

    @property
    def verdict(self) -> str:
        """Holds, does not hold, the opposite is shown, or not shown."""
        return str(self.row.verdict)

    @property
    def tried(self) -> str | None:
        """What was tried, of a claim that does not hold."""
        return None if self.verdict == HOLDS else self.claim.tried

    @property
    def look(self) -> str:
        """Class of the verdict on the page."""
        return {HOLDS: "better", NOT_SHOWN: "none"}.get(self.verdict, "worse")

    @property
    def text(self) -> str:
        """The numbers and the test behind the verdict."""
        if isinstance(self.claim, DegradesClaim):
            return self._degrades(self.claim)
        if isinstance(self.claim, GateFallsClaim):
            return self._gate_falls(self.claim)
        return f"{self._compared()}; difference {self._difference()}; {self._test()}."

    def _degrades(self, claim: DegradesClaim) -> str:
        row = self.row
        low, high = (share(edge + row.than_value) for edge in (row.low, row.high))
        seeds = ""
        if row.seeds > 1:
            lowest, highest = (share(edge + row.than_value) for edge in (row.lowest_seed, row.highest_seed))
            seeds = f"; {row.seeds:.0f} seeds: {lowest} to {highest} %"
        return (
            f"`{claim.system}` ranks {share(row.system_value)} % of the queries of round {claim.round} on"
            f" `{claim.dialogues}` worse than `{self.baseline}` does (95 % interval {low} to {high} %"
            f"{seeds}); it holds where the whole bootstrap interval is above {claim.at_least:g} %."
        )

    def _gate_falls(self, claim: GateFallsClaim) -> str:
        row = self.row
        seeds = ""
        if row.seeds > 1:
            seeds = f"; {row.seeds:.0f} seeds: {signed(row.lowest_seed)} to {signed(row.highest_seed)}"
        return (
            f"Spearman's correlation of the gate of `{claim.system}` and cos(text, image) over all queries of"
            f" `{claim.dialogues}` is {signed(row.system_value)} (95 % interval {signed(row.low)} to"
            f" {signed(row.high)}{seeds}); it holds where the whole bootstrap interval is below 0."
        )

    def _compared(self) -> str:
        claim, measure = self.claim, str(self.row.measure)
        own, other = (self._written(value) for value in (self.row.system_value, self.row.than_value))
        names = f"`{claim.system}` {own}, `{self.row.than}` {other}"
        if isinstance(claim, RobustClaim):
            what = f"loss in {title_of(measure)} at round {claim.round}"
            return f"From `{claim.dialogues}` to `{claim.noisier}`, {what}: {names}"
        against = f" against `{self.baseline}`" if measure in ("degradation_rate", "rank_drop") else ""
        return f"{title_of(measure)}{against} at round {self.row.round:.0f} on `{claim.dialogues}`: {names}"

    def _written(self, value: float) -> str:
        if isinstance(self.claim, RobustClaim):
            return self._unit(difference(str(self.row.measure), value))
        return measured(str(self.row.measure), value) + (" %" if self._is_share else "")

    def _difference(self) -> str:
        row, measure = self.row, str(self.row.measure)
        low, high = difference(measure, row.low), difference(measure, row.high)
        seeds = ""
        if row.seeds > 1:
            ends = (difference(measure, end) for end in (row.lowest_seed, row.highest_seed))
            seeds = f"; {row.seeds:.0f} seeds: {' to '.join(ends)}"
        return f"{self._unit(difference(measure, row.difference))} (95 % interval {low} to {high}{seeds})"

    def _test(self) -> str:
        text = p_value(self.row.p)
        return f"{TESTS[self.row.test]}, p {text if text.startswith('<') else f'= {text}'}"

    @property
    def _is_share(self) -> bool:
        return str(self.row.measure).startswith(("hits@", "recall@", "degradation_rate"))

    def _unit(self, text: str) -> str:
        if self.row.measure == "rank_drop":
            return f"{text} ranks"
        return f"{text} points" if self._is_share else text


def read_answers(config: Configured, layout: Layout) -> Sequence[Answer]:
    """Return the answers to the claims of a config, in its order."""
    path = Path(layout.table("claims"))
    rows = list(read_csv(path).itertuples(index=False))
    claims = config.report.claims
    if [row.claim for row in rows] != [claim.claim for claim in claims]:
        raise DaitirError(f"{path} is not of the claims of this config: remove it and run again")
    return [
        Answer(claim, row, config.systems[claim.system].baseline)
        for claim, row in zip(claims, rows, strict=True)
    ]
