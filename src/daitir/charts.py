"""What a figure shows: lines with bands, and the looks that all figures share. Nothing heavy is imported.

Colours, dashes and markers follow the order of the systems in the config: one look a system, in every figure.
``INK``, ``SOFT`` and ``PAPER`` are the only greys, for a page to replace by its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

INK, SOFT, PAPER = "#24292f", "#8c959f", "#ffffff"
COLOURS = ("#7b8591", "#0a78b5", "#d4620a", "#0f9470", "#b5559a", "#c48a00", "#4f9fd8", "#8a6d3b")
DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">")


@dataclass(frozen=True)
class Line:
    """One system's values at some places of the x axis, with the band of their intervals.

    ``place`` is the system's place in the config and decides its look. Values that others published of the
    system have its colour, but are thin, dotted and hollow.
    """

    name: str
    place: int
    x: Sequence[float]
    value: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    is_published: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines with bands, each named at its right end.

    Values are shares where ``per_cent`` is set; a line with fewer points than others simply ends earlier.
    ``ticks`` are the names of the places 0, 1, … of an x axis that counts nothing.
    """

    title: str
    x_label: str
    lines: Sequence[Line]
    per_cent: bool
    ticks: Sequence[str] = ()
