"""What is analysed: one dialogue set, its systems in the order of the config, and their files."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from daitir.analyses.options import AnalysedSystem, SystemSources
from daitir.dialogues import read_dialogues
from daitir.errors import DaitirError
from daitir.evaluation.rankings import Evaluation, Ranking, columns, paired
from daitir.metrics import degraded
from daitir.ranks import read_ranks
from daitir.statistics import mean_interval


@dataclass(frozen=True)
class Subject:
    """One dialogue set and what is known of the systems on it; ``examples`` is how many queries are named.

    ``ranked`` keeps what was ranked anew, by what was asked for.
    """

    dialogues: str
    systems: dict[str, AnalysedSystem]
    sources: dict[str, SystemSources]
    hits: tuple[int, ...]
    resamples: int
    seed: int
    examples: int = 10
    ranked: dict[Any, pd.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    def ranks(self, system: str) -> pd.DataFrame:
        """Ranks table of a system."""
        path = self.sources[system].ranks
        assert path is not None
        return _ranks(path)

    def turns(self, system: str) -> dict[str, tuple[str, ...]]:
        """Turns of each dialogue that a system ranks, as far as its last round sees them."""
        frame, path = self.ranks(system), self.sources[system].dialogues
        assert path is not None
        rounds = int(frame["round"].max()) + 1
        known = {dialogue.dialogue_id: dialogue.turns[:rounds] for dialogue in read_dialogues(path)}
        ranked = frame["dialogue_id"].unique()
        require_all(ranked, known, f"{path} lacks", "dialogues")
        return {name: known[name] for name in ranked}

    def measured(self, name: str, frame: pd.DataFrame, **variant: Any) -> Iterator[dict[str, Any]]:
        """Rows of every measure by round of some ranks, with ``variant`` behind dialogue set and system.

        ``frame`` may hold some of the dialogues. A system with a baseline has its degradation rate too,
        against the baseline's ranks as they are.
        """
        ranking = Ranking.of(name, self.systems[name].baseline, frame)
        evaluation = Evaluation(self.dialogues, {name: ranking}, self.hits, self.resamples, self.seed)
        rows = list(evaluation.by_round())
        if ranking.baseline is not None:
            rows += self._degradation(ranking, evaluation)
        for row in rows:
            yield {"dialogues": row.pop("dialogues"), "system": row.pop("system"), **variant, **row}

    def _degradation(self, ranking: Ranking, evaluation: Evaluation) -> Iterator[dict[str, Any]]:
        frame = self.ranks(str(ranking.baseline))
        own = frame[frame["dialogue_id"].isin(ranking.dialogue_ids)]
        baseline = Ranking.of(str(ranking.baseline), None, own)
        self._require_same(ranking, baseline)
        worse_PDR = paired(ranking, baseline, degraded)  # P comparisons, a system's own first seed first
        worse_SDR = worse_PDR.reshape(ranking.seeds, -1, *worse_PDR.shape[1:]).mean(axis=1)
        interval, seeds_SR = mean_interval(worse_SDR.mean(axis=0), evaluation.counts), worse_SDR.mean(axis=1)
        for place, round_ in enumerate(ranking.rounds):
            yield {
                "dialogues": self.dialogues,
                "system": ranking.system,
                "round": round_,
                "measure": "degradation_rate",
                **columns("", interval, place),
                "seeds": ranking.seeds,
                "lowest_seed": seeds_SR[:, place].min(),
                "highest_seed": seeds_SR[:, place].max(),
            }

    def pairs(self) -> Iterator[tuple[Ranking, Ranking]]:
        """Ranks of each system that has a baseline, as matrices, and those of its baseline."""
        for name, system in self.systems.items():
            if system.baseline is not None:
                one, other = self._ranking(name), self._ranking(system.baseline)
                self._require_same(one, other)
                yield one, other

    def _ranking(self, system: str) -> Ranking:
        return Ranking.of(system, self.systems[system].baseline, self.ranks(system))

    def _require_same(self, one: Ranking, other: Ranking) -> None:
        if (one.dialogue_ids, one.rounds) != (other.dialogue_ids, other.rounds):
            raise DaitirError(
                f"ranks of {one.system!r} and {other.system!r} on {self.dialogues!r} are not of the same"
                " dialogues and rounds: remove the older of the two and run again"
            )


def require_all(wanted: Iterable[Any], known: Container[Any], lacks: str, what: str) -> None:
    """Refuse a file that does not have all that was ranked: ``lacks`` begins the line."""
    every = list(wanted)
    missing = [one for one in every if one not in known]
    if missing:
        raise DaitirError(
            f"{lacks} {len(missing)} of {len(every)} {what}, the first is {missing[0]!r}:"
            " remove it and run again"
        )


@cache
def _ranks(path: Path) -> pd.DataFrame:
    return read_ranks(path)
