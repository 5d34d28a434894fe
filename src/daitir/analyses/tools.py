"""What the figures of the analyses share."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from daitir.charts import Line


@dataclass(frozen=True)
class Drawing:
    """What a figure is drawn of: the dialogue set, all systems (their places give the looks), k, rounds."""

    dialogues: str
    order: tuple[str, ...]
    k: int
    rounds: tuple[int, ...]


def lines_by_system(
    table: pd.DataFrame, drawing: Drawing, x: str, value: Sequence[str] = ("value", "low", "high")
) -> list[Line]:
    """Return a line a system in the order of the config; ``value`` names value, lower and upper end."""
    found = []
    for place, system in enumerate(drawing.order):
        own = table[table["system"] == system]
        if len(own):
            places, middle, low, high = (own[column].tolist() for column in (x, *value))
            found.append(Line(system, place, places, middle, low, high))
    return found


def headline(table: pd.DataFrame, drawing: Drawing) -> pd.DataFrame:
    """Return the rows of Hits@k at the last round: the headline of the papers."""
    chosen = table[table["measure"] == f"hits@{drawing.k}"]
    return chosen[chosen["round"] == chosen["round"].max()]
