"""Claims of papers that a run is asked about, as the config states them; the config imports this."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from daitir.options import Options

AT_K = re.compile(r"(hits|recall)@[1-9]\d*")
OF_RANKS = ("mrr", "log_rank", "bri")
AGAINST_BASELINE = ("degradation_rate", "rank_drop")
WORDS = ("claim", "source", "tried")  # printed, not measured


class _Claim(Options):
    """One sentence as it is printed, and where it stands; ``tried`` is printed where it does not hold."""

    claim: str = Field(min_length=1)
    source: str | None = Field(None, min_length=1)
    tried: str | None = Field(None, min_length=1)
    system: str
    dialogues: str

    @property
    def measured(self) -> dict[str, Any]:
        """What is measured: every field but the words."""
        return self.model_dump(exclude={"kind", *WORDS})

    def faults(self, systems: Mapping[str, Any], rounds: Mapping[str, int]) -> Iterator[str]:
        """Yield what a run cannot measure, each beginning with the key.

        ``systems`` are those of the config by name, ``rounds`` how many each evaluated dialogue set has.
        """
        names = {key: value for key in ("system", "than") if (value := getattr(self, key, None)) is not None}
        sets = {key: value for key in ("dialogues", "noisier") if (value := getattr(self, key, None))}
        unknown = [
            *_unknown(names, systems, "system"),
            *_unknown(sets, rounds, "evaluated dialogue set"),
        ]
        yield from unknown
        if unknown:
            return
        for key, name in names.items():
            for place in sets.values():
                if not systems[name].is_measured_on(place):
                    yield f"{key}: {name!r} is not measured on {place!r}: name it there too"
        ends = min(rounds[place] for place in sets.values()) - 1
        if getattr(self, "round", 0) > ends:
            yield f"round: the dialogue set ends at round {ends}"
        yield from self.misfits(systems)

    def misfits(self, systems: Mapping[str, Any]) -> Iterator[str]:
        """Yield what does not fit this kind of claim; all names are known."""
        yield from ()


def _unknown(given: Mapping[str, str], known: Mapping[str, Any], what: str) -> Iterator[str]:
    for key, name in given.items():
        if name not in known:
            yield f"{key}: no {what} is called {name!r}; there are {', '.join(sorted(known)) or 'none'}"


def _no_baseline(systems: Mapping[str, Any], name: str, key: str) -> Iterator[str]:
    if systems[name].baseline is None:
        yield f"{key}: {name!r} has no baseline to be worse than: name one in its `baseline`"


class DegradesClaim(_Claim):
    """A system ranks more than ``at_least`` per cent of the queries of a round worse than its baseline does.

    It holds where all of the 95 % interval of that share lies above, and does not where all lies below.
    """

    kind: Literal["degrades"]
    round: int = Field(ge=0)
    at_least: float = Field(ge=0, lt=100)

    def misfits(self, systems: Mapping[str, Any]) -> Iterator[str]:
        """Yield a system without a baseline."""
        yield from _no_baseline(systems, self.system, "system")


class _Comparison(_Claim):
    than: str
    measure: str
    round: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.than == self.system:
            raise ValueError(f"{self.system!r} is compared with itself: name another in `than`")
        if self.measure == "bri" and self.round == 0:
            raise ValueError("bri is an area over rounds: ask for it at round 1 or later")
        return self


class BetterClaim(_Comparison):
    """A system is better than another in one measure, on the same dialogues, by a paired test (p < 0.05).

    ``degradation_rate`` and ``rank_drop`` (mean over the queries made worse) are each against the baseline,
    which both must share. ``bri`` is the area up to ``round``.
    """

    kind: Literal["better"]

    @model_validator(mode="after")
    def _is_measured(self) -> Self:
        if not AT_K.fullmatch(self.measure) and self.measure not in (*OF_RANKS, *AGAINST_BASELINE):
            known = ", ".join(["hits@k", "recall@k", *OF_RANKS, *AGAINST_BASELINE])
            raise ValueError(f"no measure is called {self.measure!r}; there are {known}")
        return self

    def misfits(self, systems: Mapping[str, Any]) -> Iterator[str]:
        """Yield systems that have no baseline in common, where one is needed."""
        if self.measure not in AGAINST_BASELINE:
            return
        missing = [*_no_baseline(systems, self.system, "system"), *_no_baseline(systems, self.than, "than")]
        yield from missing
        baselines = [systems[name].baseline for name in (self.system, self.than)]
        if not missing and baselines[0] != baselines[1]:
            yield f"than: its baseline is {baselines[1]!r}, not {baselines[0]!r}; {self.measure} needs one"


class RobustClaim(_Comparison):
    """From one dialogue set to a noisier one a system loses less than another does, in one measure."""

    kind: Literal["robust"]
    noisier: str

    @model_validator(mode="after")
    def _is_measured(self) -> Self:
        if not AT_K.fullmatch(self.measure) and self.measure not in OF_RANKS:
            known = ", ".join(["hits@k", "recall@k", *OF_RANKS])
            raise ValueError(f"no measure is called {self.measure!r}; there are {known}")
        if self.noisier == self.dialogues:
            raise ValueError("`dialogues` and `noisier` are the same: name two dialogue sets")
        return self


class GateFallsClaim(_Claim):
    """The weight that a fusion gives the text falls as cos(text, image) rises (Spearman's correlation)."""

    kind: Literal["gate-falls"]

    def misfits(self, systems: Mapping[str, Any]) -> Iterator[str]:
        """Yield a system that looks at no images."""
        if systems[self.system].images is None:
            yield f"system: {self.system!r} looks at no images, so nothing weighs them"


Claim = Annotated[DegradesClaim | BetterClaim | RobustClaim | GateFallsClaim, Field(discriminator="kind")]
