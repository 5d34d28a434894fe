"""What claims about a dialogue set stand on: rankings, and values of one round by seed and dialogue.

Shape suffixes: S seeds, D dialogues, R rounds, P pairs of seeds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from daitir import metrics
from daitir.errors import DaitirError
from daitir.evaluation.rankings import Evaluation, Ranking, measures_by_round, paired

QUERY_COLUMNS = ["seed", "dialogue_id", "round", "target", "gate", "similarity"]


@dataclass(frozen=True)
class Ground:
    """What the claims about a dialogue set stand on: rankings, and of some systems the rows of queries."""

    evaluation: Evaluation
    frames: Mapping[str, pd.DataFrame]

    def ranking(self, system: str) -> Ranking:
        """Return the ranks of a system."""
        if system not in self.evaluation.rankings:
            raise DaitirError(
                f"a claim is about {system!r}, which has no ranks on {self.evaluation.dialogues!r}:"
                " mend report.claims"
            )
        return self.evaluation.rankings[system]

    def baseline(self, system: str) -> Ranking:
        """Return the ranks of a system's baseline."""
        return self.ranking(str(self.ranking(system).baseline))

    def queries(self, system: str) -> pd.DataFrame:
        """Return the rows of a system's queries."""
        self.ranking(system)
        return self.frames[system]

    def targets(self, system: str) -> dict[str, str]:
        """Return the target of each dialogue."""
        frame = self.queries(system)
        return dict(zip(frame["dialogue_id"], frame["target"], strict=True))


def values(ranking: Ranking, measure: str, round_: int) -> np.ndarray:
    """Return a measure a seed and dialogue (S x D), at a round; BRI is the area up to it."""
    upto_SDR = ranking.ranks[:, :, : place_of(ranking, round_) + 1]
    if measure == "bri":
        return np.stack([metrics.log_rank_integral(rank_DR) for rank_DR in upto_SDR])
    k = measure.partition("@")[2]
    known = measures_by_round((int(k),) if k else ())
    return np.stack([known[measure](rank_DR)[:, -1] for rank_DR in upto_SDR]).astype(np.float64)


def place_of(ranking: Ranking, round_: int) -> int:
    """Return the place of a round among those that were ranked."""
    if round_ not in ranking.rounds:
        raise DaitirError(
            f"a claim is about round {round_}, which {ranking.system!r} has not: mend report.claims"
        )
    return ranking.rounds.index(round_)


def changed(ground: Ground, system: str, round_: int, change: Callable[..., np.ndarray]) -> np.ndarray:
    """Compare a system with its baseline, a seed of its own and dialogue (S x D)."""
    ranking = ground.ranking(system)
    changed_PD = paired(ranking, ground.baseline(system), change)[:, :, place_of(ranking, round_)]
    return changed_PD.reshape(ranking.seeds, -1, changed_PD.shape[1]).mean(axis=1)
