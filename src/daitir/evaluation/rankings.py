"""From ranks to tidy tables: every measure by round with its interval, and degradation against a baseline.

Seeds of a trained fusion are averaged within each dialogue before anything else, for the dialogue is the unit
that was drawn at random; how far the seeds lie apart is stated beside it.

Shape suffixes: S seeds, D dialogues, R rounds, M rounds or 1, B bootstrap resamples.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from daitir import metrics
from daitir.errors import DaitirError
from daitir.statistics import Interval, draw_signs, mean_interval, median_interval, ratio_interval, resample

QUANTILES = (0.5, 0.9, 1.0)
FLIPS = 9999

Measure = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ranking:
    """One system on one dialogue set: ranks (S x D x R), dialogues sorted by id; and its baseline's name.

    ``seeds_named`` are the seeds by which a trained fusion or a tuned encoder differs.
    """

    system: str
    baseline: str | None
    dialogue_ids: tuple[str, ...]
    rounds: tuple[int, ...]
    ranks: np.ndarray
    seeds_named: tuple[int, ...]

    @classmethod
    def of(cls, system: str, baseline: str | None, frame: pd.DataFrame) -> "Ranking":
        """Take a ranks table apart by seed; every seed must have ranked the same dialogues and rounds."""
        if frame.empty:
            raise DaitirError(f"ranks of {system!r} hold no row: remove the file and run again")
        try:
            matrices: dict[int, pd.DataFrame] = {
                seed: metrics.rank_matrix(frame[frame["seed"] == seed])
                for seed in sorted(frame["seed"].unique().tolist())
            }
        except DaitirError as error:
            raise DaitirError(f"ranks of {system!r}: {error}") from None
        first, *others = matrices.values()
        if any(not (m.index.equals(first.index) and m.columns.equals(first.columns)) for m in others):
            raise DaitirError(
                f"ranks of {system!r}: seeds differ in their dialogues; remove the file and run again"
            )
        rank_SDR = np.stack([matrix.to_numpy() for matrix in matrices.values()])
        rounds = tuple(map(int, first.columns))
        return cls(system, baseline, tuple(first.index), rounds, rank_SDR, tuple(matrices))

    @property
    def seeds(self) -> int:
        """How many seeds there are."""
        return len(self.ranks)

    def by_seed(self, measure: Measure) -> np.ndarray:
        """Values of a measure a seed, dialogue and round; a measure over all rounds has one column."""
        values = np.stack([measure(rank_DR) for rank_DR in self.ranks]).astype(np.float64)
        return values if values.ndim == 3 else values[:, :, None]

    def mean(self, measure: Measure) -> np.ndarray:
        """Values of a measure a dialogue and round, averaged over seeds."""
        return self.by_seed(measure).mean(axis=0)

    @cached_property
    def cumulative(self) -> bool:
        """Whether there are rounds enough for a measure over all of them."""
        return len(self.rounds) > 1


def measures_by_round(hits: Sequence[int]) -> dict[str, Measure]:
    """Return the measures that have a value a round, by the name they carry in the tables."""
    found: dict[str, Measure] = {f"hits@{k}": partial(metrics.hits_at, k=k) for k in hits}
    found |= {f"recall@{k}": partial(metrics.recall_at, k=k) for k in hits}
    return found | {
        "mrr": metrics.reciprocal_rank,
        "log_rank": np.log,
        "mean_rank": lambda rank_DR: rank_DR,
        "median_rank": lambda rank_DR: rank_DR,
    }


@dataclass(frozen=True)
class Evaluation:
    """All rankings of one dialogue set, over the same dialogues and rounds, and how they are measured."""

    dialogues: str
    rankings: dict[str, Ranking]
    hits: tuple[int, ...]
    resamples: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse rankings that are not of the same dialogues and rounds."""
        first = next(iter(self.rankings.values()))
        for other in self.rankings.values():
            if (other.dialogue_ids, other.rounds) != (first.dialogue_ids, first.rounds):
                raise DaitirError(
                    f"ranks of {other.system!r} and {first.system!r} on {self.dialogues!r} are not of the"
                    " same dialogues and rounds: remove the older of the two and run again"
                )

    @property
    def rounds(self) -> tuple[int, ...]:
        """The rounds that were ranked."""
        return next(iter(self.rankings.values())).rounds

    @cached_property
    def counts(self) -> np.ndarray:
        """Bootstrap resamples (B x D), the same for all systems and measures: differences are paired."""
        first = next(iter(self.rankings.values()))
        return resample(len(first.dialogue_ids), self.resamples, self.seed)

    @cached_property
    def signs(self) -> np.ndarray:
        """Signs of the randomisation test (flips x D), the same for all systems and measures."""
        first = next(iter(self.rankings.values()))
        return draw_signs(len(first.dialogue_ids), FLIPS, self.seed)

    def by_round(self) -> Iterator[dict[str, Any]]:
        """Rows (system, round, measure): value, interval, and the lowest and highest of the seeds."""
        for ranking in self.rankings.values():
            for name, measure in measures_by_round(self.hits).items():
                yield from self._rows(ranking, name, measure, ranking.rounds)
            if ranking.cumulative:
                yield from self._rows(ranking, "bri", metrics.log_rank_integrals, ranking.rounds[1:])

    def _rows(
        self, ranking: Ranking, name: str, measure: Measure, rounds: Sequence[int]
    ) -> Iterator[dict[str, Any]]:
        values_SDM = ranking.by_seed(measure)
        middle, over = (np.median, median_interval) if name == "median_rank" else (np.mean, mean_interval)
        interval = over(values_SDM.mean(axis=0), self.counts)
        seeds_SM = middle(values_SDM, axis=1)
        for place, round_ in enumerate(rounds):
            yield {
                "dialogues": self.dialogues,
                "system": ranking.system,
                "round": round_,
                "measure": name,
                **columns("", interval, place),
                "seeds": ranking.seeds,
                "lowest_seed": seeds_SM[:, place].min(),
                "highest_seed": seeds_SM[:, place].max(),
            }

    def degradation(self) -> Iterator[dict[str, Any]]:
        """Rows (system with a baseline, round): how many queries rank worse or better, and by how much."""
        for ranking, baseline in self.pairs():
            worse, better, drop, gain = (
                paired(ranking, baseline, compare)
                for compare in (metrics.degraded, metrics.improved, metrics.rank_drop, metrics.rank_gain)
            )
            intervals = {
                "degradation_rate": mean_interval(worse.mean(axis=0), self.counts),
                "improvement_rate": mean_interval(better.mean(axis=0), self.counts),
                "rank_drop": ratio_interval(drop.mean(axis=0), worse.mean(axis=0), self.counts),
                "rank_gain": ratio_interval(gain.mean(axis=0), better.mean(axis=0), self.counts),
            }
            for place, round_ in enumerate(ranking.rounds):
                row: dict[str, Any] = {"dialogues": self.dialogues, "system": ranking.system}
                row |= {"baseline": baseline.system, "round": round_, "seeds": ranking.seeds}
                for name, interval in intervals.items():
                    row |= columns(f"{name}_", interval, place)
                for name, change in (("rank_drop", drop), ("rank_gain", gain)):
                    changed = change[:, :, place]
                    levels = metrics.quantiles_over(changed, changed > 0, QUANTILES)
                    row |= dict(
                        zip((f"{name}_median", f"{name}_q90", f"{name}_largest"), levels, strict=True)
                    )
                yield row | _spread_of_seeds(drop[:, :, place].reshape(ranking.seeds, -1))

    def pairs(self) -> Iterator[tuple[Ranking, Ranking]]:
        """Each system that has a baseline, with it."""
        for ranking in self.rankings.values():
            if ranking.baseline is not None:
                yield ranking, self.rankings[ranking.baseline]


def columns(prefix: str, interval: Interval, place: int) -> dict[str, float]:
    """Return one entry of an interval as three columns: ``value, low, high``, or named by a prefix."""
    name = prefix.removesuffix("_") or "value"
    low, high = (f"{prefix}low", f"{prefix}high")
    return {name: interval.value[place], low: interval.low[place], high: interval.high[place]}


def _spread_of_seeds(drop_SM: np.ndarray) -> dict[str, float]:
    """Return the ends of the seeds: of the degradation rate, and of mean and median of the drop."""
    found = {
        "degradation_rate": (drop_SM > 0).mean(axis=1).tolist(),
        "rank_drop": [drop_M[drop_M > 0].mean() if drop_M.any() else 0.0 for drop_M in drop_SM],
        "rank_drop_median": [metrics.quantiles_over(drop_M, drop_M > 0, (0.5,))[0] for drop_M in drop_SM],
    }
    return {
        f"{name}_{end}_seed": choose(seeds)
        for name, seeds in found.items()
        for end, choose in (("lowest", min), ("highest", max))
    }


def paired(
    ranking: Ranking, baseline: Ranking, compare: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Compare the seeds of a system with those of its baseline (pairs x D x R), its own first seed first.

    Seed n goes with seed n where the two have the same seeds, for then they share what was trained with it,
    an encoder; otherwise each goes with each.
    """
    pairs = [(one, other) for _, one, other in seed_pairs(ranking, baseline)]
    return np.stack([compare(one, other) for one, other in pairs]).astype(np.float64)


def seed_pairs(ranking: Ranking, baseline: Ranking) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Return the seed of a system, its ranks (D x R) and those of its baseline, a tuple each comparison."""
    if ranking.seeds_named == baseline.seeds_named:
        return list(zip(ranking.seeds_named, ranking.ranks, baseline.ranks, strict=True))
    named = zip(ranking.seeds_named, ranking.ranks, strict=True)
    return [(seed, one, other) for seed, one in named for other in baseline.ranks]
