"""How long the rest will take: by finished jobs of the same kind, or by the rates that the config says."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from daitir.config import Config
from daitir.planning.inventory import Job
from daitir.status.standing import Standing

Kind = tuple[str, ...]
RATED = {
    "simulate": ("simulate", None),
    "reformulate_dialogues": ("reformulate", None),
    "generate_images": ("generate", None),
    "encode_corpus": ("encode", "images"),
    "encode_queries": ("encode", "texts"),
    "encode_images": ("encode", "pictures"),
}


@dataclass(frozen=True)
class Guess:
    """Seconds of a whole job, and where they come from: measured on like jobs, or the config's rates."""

    seconds: float
    measured: bool


class Guesses:
    """Seconds of jobs: of finished ones of the same rule and component, of the same rule, or by rates."""

    def __init__(self, config: Config, found: Sequence[Standing]) -> None:
        self.config, self.found = config, found

    def of(self, job: Job) -> Guess | None:
        """Return what a job will take; None where nobody knows."""
        for kind in (kind_of(job), (job.rule,)):
            if kind in self._measured:
                return Guess(self._measured[kind], measured=True)
        seconds = self._rated.get(kind_of(job)) if job.rule in RATED else None
        return None if seconds is None else Guess(seconds, measured=False)

    @cached_property
    def _measured(self) -> Mapping[Kind, float]:
        spent: dict[Kind, list[float]] = defaultdict(list)
        for one in self.found:
            if one.seconds is not None:
                for kind in (kind_of(one.job), (one.job.rule,)):
                    spent[kind].append(one.seconds)
        return {kind: fmean(seconds) for kind, seconds in spent.items()}

    @cached_property
    def _rated(self) -> Mapping[Kind, float]:
        """Seconds a job by the rates of the components, spread evenly over their jobs."""
        if not any(_has_rate(component) for component in _components(self.config)):
            return {}
        from daitir.preflight.data import Data
        from daitir.preflight.estimates import Estimate
        from daitir.preflight.hub import Hub

        hours: dict[tuple[str, str, str], float] = defaultdict(float)
        for line in Estimate(self.config, Data(self.config), Hub()).lines():
            hours[line.stage, line.component, line.unit] += line.hours or 0.0
        kinds: dict[Kind, int] = defaultdict(int)
        for one in self.found:
            kinds[kind_of(one.job)] += 1
        found = {}
        for kind, jobs in kinds.items():
            stage, unit = RATED.get(kind[0], (None, None))
            total = sum(
                spent
                for (of_stage, component, of_unit), spent in hours.items()
                if of_stage == stage and component == kind[1] and unit in {None, of_unit}
            )
            if total:
                found[kind] = total * 3600 / jobs
        return found


def kind_of(job: Job) -> Kind:
    """Return rule and component of a job: those of one kind take about as long."""
    if job.parts[0] == "features":
        return (job.rule, job.parts[1])
    return (job.rule, *job.parts[1:2])


def to_go(found: Sequence[Standing], guess: Callable[[Job], Guess | None]) -> tuple[float, int, int]:
    """Return the seconds of work that is left, of how many jobs they are guessed by rates, and unknown."""
    seconds, rated, unknown = 0.0, 0, 0
    for one in found:
        if one.state == "done":
            continue
        known = guess(one.job)
        if known is None:
            unknown += 1
            continue
        seconds += known.seconds * (1 - one.share)
        rated += not known.measured
    return seconds, rated, unknown


def _components(config: Config) -> list[object]:
    parts = [
        part
        for simulation in config.simulations.values()
        for part in (simulation.questioner, simulation.answerer, simulation.captioner)
    ]
    kinds = (config.reformulators, config.generators, config.encoders)
    return [*parts, *(component for kind in kinds for component in kind.values())]


def _has_rate(component: object) -> bool:
    return getattr(component, "per_second", None) is not None
