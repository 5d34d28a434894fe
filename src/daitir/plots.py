"""Draws charts as SVG and PNG: the same bytes every time, readable in grey and on a dark page."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from daitir.charts import COLOURS, DASHES, INK, MARKERS, PAPER, SOFT, Chart, Line
from daitir.seals import write_sealed

DOTTED = (0, (1, 2.4))
FONT_SIZE = 10.0
DOTS_PER_INCH = 150
HEIGHT, WIDTH_OF_AXES, LEFT, BOTTOM, TOP = 4.1, 5.4, 0.62, 0.52, 0.52
INCHES_A_LETTER = 0.078
Point = tuple[float, float]
STYLE: Any = {
    "svg.hashsalt": "daitir",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": FONT_SIZE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": SOFT,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
}


class Pictures(NamedTuple):
    """A figure in two forms: lines and texts for pages, pixels for where those are not shown."""

    svg: str
    png: bytes

    def write(self, path: Path) -> None:
        """Write the SVG to ``path`` and the PNG beside it."""
        write_sealed(path, self.svg)
        write_sealed(path.with_suffix(".png"), self.png)


def draw_chart(chart: Chart) -> Pictures:
    """Return a chart as SVG and PNG."""
    with matplotlib.rc_context(STYLE):
        figure = _figure(chart)
        return Pictures(svg_text(figure), png_bytes(figure))


def _figure(chart: Chart) -> Figure:
    scale = 100.0 if chart.per_cent else 1.0
    margin = 0.35 + INCHES_A_LETTER * max((len(line.name) for line in chart.lines), default=0)
    figure, axes = _axes(chart.title, chart.x_label, margin)
    for line in chart.lines:
        _draw(axes, line, scale)
    _fit(axes, chart.lines, scale, chart.per_cent)
    if chart.ticks:
        axes.set_xticks(range(len(chart.ticks)), chart.ticks)
        axes.set_xlim(-0.1, len(chart.ticks) - 0.9)
    _name_lines(axes, chart.lines, scale)
    return figure


def _axes(title: str, x_label: str, margin: float) -> tuple[Figure, Axes]:
    width = LEFT + WIDTH_OF_AXES + margin
    figure = Figure(figsize=(width, HEIGHT), facecolor=PAPER)
    place = (LEFT / width, BOTTOM / HEIGHT, WIDTH_OF_AXES / width, (HEIGHT - BOTTOM - TOP) / HEIGHT)
    axes = figure.add_axes(place)
    axes.set_title(title, loc="left", fontsize=FONT_SIZE + 1.5, pad=14, x=-LEFT / WIDTH_OF_AXES * 0.72)
    axes.set_xlabel(x_label)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    return figure, axes


def _draw(axes: Axes, line: Line, scale: float) -> None:
    colour = COLOURS[line.place % len(COLOURS)]
    value, low, high = (np.asarray(part, dtype=float) * scale for part in (line.value, line.low, line.high))
    if line.is_published:
        # Between published rounds that do not follow each other nothing is known, so nothing is drawn.
        follows = len(line.x) > 1 and max(np.diff(line.x)) <= 1
        look: Any = {
            "linestyle": DOTTED if follows else "none",
            "linewidth": 1.0,
            "marker": "o",
            "markerfacecolor": "none",
        }
        axes.plot(line.x, value, color=colour, markeredgecolor=colour, markeredgewidth=0.9, **look)
        return
    axes.fill_between(line.x, low, high, color=colour, alpha=0.12, linewidth=0)
    if len(line.x) == 1:  # a point has no band
        axes.vlines(line.x, low, high, color=colour, linewidth=0.8)
    axes.plot(
        line.x,
        value,
        color=colour,
        linestyle=DASHES[line.place % len(DASHES)],
        marker=MARKERS[line.place % len(MARKERS)],
        markeredgecolor=PAPER,
        markeredgewidth=0.6,
    )


def _fit(axes: Axes, lines: Sequence[Line], scale: float, per_cent: bool) -> None:
    """Set the limits: all bands inside, a little air, shares within 0 and 100 %."""
    x = [place for line in lines for place in line.x]
    y = [edge * scale for line in lines for edge in (*line.low, *line.high, *line.value)]
    if not x:
        return
    air = max((max(y) - min(y)) * 0.05, 1.0 if per_cent else 1e-3)
    bottom, top = min(y) - air, max(y) + air
    axes.set_ylim(*((max(bottom, -1.0), min(top, 101.0)) if per_cent else (bottom, top)))
    axes.set_xlim(min(x) - 0.02 * (max(x) - min(x) or 1), max(x) + 0.02 * (max(x) - min(x) or 1))
    if all(float(place).is_integer() for place in x):
        axes.set_xticks(sorted({int(place) for place in x}))
    if per_cent:
        axes.yaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.yaxis.set_major_formatter("{x:.0f} %")
        low, high = axes.get_ylim()
        axes.set_yticks([place for place in axes.get_yticks() if max(low, 0) <= place <= min(high, 100)])


def _name_lines(axes: Axes, lines: Sequence[Line], scale: float) -> None:
    """Write each name right of its line's end, or beside it where all are points; names move apart."""
    left, right = axes.get_xlim()
    inside, edge = (right - left) * 0.1, right + (right - left) * 0.03
    are_points = all(len(line.x) <= 1 for line in lines)
    groups: dict[float, list[tuple[float, float, Line]]] = {}
    for x, y, line in sorted(_ends(lines, scale), key=lambda end: end[:2]):
        place = edge
        if are_points and x < right - inside:
            place = next((known for known in groups if x < known <= x + inside), x + inside / 5)
        groups.setdefault(place, []).append((y, x, line))
    bottom, top = axes.get_ylim()
    gap = (top - bottom) * FONT_SIZE * 1.2 / 72 / (HEIGHT - BOTTOM - TOP)
    for place, group in groups.items():
        group.sort(key=lambda end: end[0])
        for (y, x, line), label_y in zip(group, spread([end[0] for end in group], gap, top), strict=True):
            _name(axes, line, (x, y), (place, label_y), inside / 20)


def _ends(lines: Sequence[Line], scale: float) -> list[tuple[float, float, Line]]:
    return [(line.x[-1], line.value[-1] * scale, line) for line in lines if len(line.x)]


def _name(axes: Axes, line: Line, end: Point, label: Point, gap: float) -> None:
    colour = COLOURS[line.place % len(COLOURS)]
    across, up = zip(end, label, strict=True)
    axes.plot(across, up, color=colour, linewidth=0.6, alpha=0.7, clip_on=False)
    axes.text(
        label[0] + gap,
        label[1],
        line.name,
        color=colour,
        va="center",
        clip_on=False,
        parse_math=False,  # a name is text, its dollar signs too
    )


def spread(places: Sequence[float], gap: float, ceiling: float = float("inf")) -> list[float]:
    """Move sorted places ``gap`` apart; a group that must move stays centred, but below ``ceiling``."""

    def lowest(group: Sequence[float]) -> float:
        height = gap * (len(group) - 1)
        return min(sum(group) / len(group) - height / 2, ceiling - height)

    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and lowest(groups[-1]) - lowest(groups[-2]) < gap * len(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [lowest(group) + step * gap for group in groups for step in range(len(group))]


def svg_text(figure: Figure) -> str:
    """Return a figure as SVG, without date or program."""
    sink = io.StringIO()
    figure.savefig(sink, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as PNG, without the name of the program."""
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return sink.getvalue()
