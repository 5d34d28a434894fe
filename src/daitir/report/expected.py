"""Published figures that a run is held against, as the config states them; the config imports this."""

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from daitir.options import Options

AT_K = re.compile(r"(?:hits|recall)@([1-9]\d*)")
# Every other measure that is measured, with the values it can have.
RANGES = {
    "mrr": (0.0, 1.0),
    "median_rank": (1.0, float("inf")),
    "mean_rank": (1.0, float("inf")),
    "log_rank": (0.0, float("inf")),
    "bri": (0.0, float("inf")),
}
PER_CENT = (0.0, 100.0)


class ExpectedValues(Options):
    """A published curve: values of one measure by round, of one system on one dialogue set.

    Hits@k and Recall@k are in per cent and their ``tolerance`` in points, all others in their own unit. A
    measured value agrees that is no further than the tolerance from the published one.
    """

    source: str = Field(min_length=1)
    system: str
    dialogues: str
    measure: str
    values: dict[Annotated[int, Field(ge=0)], Annotated[float, Field(allow_inf_nan=False)]] = Field(
        min_length=1
    )
    tolerance: float = Field(gt=0, allow_inf_nan=False)

    @property
    def k(self) -> int | None:
        """The k of Hits@k or Recall@k; None for another measure."""
        found = AT_K.fullmatch(self.measure)
        return int(found[1]) if found else None

    @property
    def rounds(self) -> list[int]:
        """The rounds that have a published value, in order."""
        return sorted(self.values)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.k is None and self.measure not in RANGES:
            known = ", ".join(["hits@k", "recall@k", *RANGES])
            raise ValueError(f"no measure is called {self.measure!r}; there are {known}")
        low, high = PER_CENT if self.k is not None else RANGES[self.measure]
        for round_ in self.rounds:
            if not low <= self.values[round_] <= high:
                unit = " per cent" if self.k is not None else ""
                raise ValueError(
                    f"{self.values[round_]:g} at round {round_} is no value of {self.measure}:"
                    f" that is {low:g} to {high:g}{unit}"
                )
        return self

    def faults(self, hits: Collection[int], rounds: int) -> Iterator[str]:
        """Yield what a run cannot measure, each beginning with the key: k it has not, rounds it has not."""
        if self.k is not None and self.k not in hits:
            yield f"measure: {self.measure} is not measured; write {self.k} into report.hits"
        beyond = [round_ for round_ in self.rounds if round_ >= rounds]
        if beyond:
            yield f"values.{beyond[0]}: the dialogue set ends at round {rounds - 1}"
        if self.measure == "bri" and self.rounds[0] == 0:
            yield "values.0: bri is an area over rounds; give its values from round 1 on"
