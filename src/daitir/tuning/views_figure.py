"""The views of encoders side by side as one figure: where texts, images and targets lie, and what is true.

Shape suffixes: S queries of one round.
"""

from collections.abc import Iterable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from daitir.charts import COLOURS, INK, PAPER
from daitir.plots import FONT_SIZE, STYLE, svg_text
from daitir.tuning.views import RoundViews, cosines, halves, plane_of, sample

JOINED, SHOWN = 40, 400  # queries with lines to their target, and with points at all
BINS = 16
WIDTH, HEIGHT = 3.6, 3.7  # inches of a panel
BLUE, ORANGE, GREEN = COLOURS[1:4]
LOOKS: dict[str, dict[str, Any]] = {
    "text": {"color": BLUE, "marker": "o"},
    "generated image": {"color": ORANGE, "marker": "^"},
    "target": {"color": GREEN, "marker": "s"},
}
HALVES: dict[str, dict[str, Any]] = {
    "faithful half": {"color": GREEN, "linestyle": "-"},
    "hallucinated half": {"color": ORANGE, "linestyle": "--"},
}


def views_figure(title: str, encoders: dict[str, RoundViews]) -> str:
    """Return an SVG with a column an encoder, in the order given.

    Above, two principal axes of each encoder's own features, at one scale: lines lead from the texts and
    images of a fixed sample of queries to their targets, large marks are the centroids. Below, where the
    truth is known, the cosine of image and target of the faithful and of the hallucinated half.
    """
    has_truth = all(views.truth_S is not None for views in encoders.values())
    rows = 2 if has_truth else 1
    with matplotlib.rc_context(STYLE):
        size = (WIDTH * len(encoders), HEIGHT + 2.2 * (rows - 1) + 0.8)
        figure = Figure(figsize=size, facecolor=PAPER, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=FONT_SIZE + 1.5, parse_math=False)
        ratios = [HEIGHT, 2.2][:rows]
        grid = figure.subplots(
            rows, len(encoders), squeeze=False, sharex="row", sharey="row", height_ratios=ratios
        )
        for axes, (name, views) in zip(grid[0], encoders.items(), strict=True):
            _draw_plane(axes, name, views)
        if has_truth:
            edges = _edges(encoders.values())
            for axes, views in zip(grid[1], encoders.values(), strict=True):
                _draw_halves(axes, views, edges)
            grid[1][0].set_ylabel("images, %")
        looks = [Line2D([], [], linestyle="", label=name, **look) for name, look in LOOKS.items()]
        looks += [Line2D([], [], label=name, **look) for name, look in HALVES.items() if has_truth]
        columns = len(looks) if len(encoders) > 1 else 2
        figure.legend(handles=looks, loc="outside lower left", ncols=columns, frameon=False)
        return svg_text(figure)


def _draw_plane(axes: Axes, name: str, views: RoundViews) -> None:
    plane = plane_of(views)
    shown, joined = sample(views.names, SHOWN), sample(views.names, JOINED)
    for places_S2, look in zip(plane[:3], LOOKS.values(), strict=True):
        for row in joined:
            ends = np.stack([places_S2[row], plane.target_S2[row]])
            axes.plot(*ends.T, color=look["color"], linewidth=0.5, alpha=0.5, zorder=1)
        faint = [row for row in shown if row not in set(joined)]
        point: Any = {**look, "linestyle": "", "markeredgewidth": 0}
        axes.plot(*places_S2[faint].T, markersize=2.2, alpha=0.3, zorder=2, **point)
        axes.plot(*places_S2[joined].T, markersize=4, zorder=3, **point)
        centroid: Any = {**look, "markeredgecolor": INK, "markerfacecolor": "none", "markeredgewidth": 1.2}
        axes.plot(*places_S2.mean(axis=0), markersize=11, linestyle="", zorder=4, **centroid)
    axes.set_title(name, loc="left", fontsize=FONT_SIZE, parse_math=False)
    axes.set_aspect("equal", adjustable="box")
    axes.set_xlabel(f"first axis, {plane.shares[0] * 100:.0f} % of the variance")
    axes.set_ylabel(f"second axis, {plane.shares[1] * 100:.0f} %")
    axes.grid(True)


def _edges(encoders: Iterable[RoundViews]) -> np.ndarray:
    """Return the borders of the bins, the same for all encoders."""
    found = np.concatenate([cosines(views.image_SD, views.target_SD) for views in encoders])
    return np.linspace(np.floor(found.min() * 20) / 20, min(np.ceil(found.max() * 20) / 20, 1.0), BINS + 1)


def _draw_halves(axes: Axes, views: RoundViews, edges: np.ndarray) -> None:
    """Draw the distribution of either half as shares in bins, and its mean as a line down."""
    assert views.truth_S is not None
    cosine_S = cosines(views.image_SD, views.target_SD).clip(edges[0], edges[-1])  # 1 in the last bits
    for half, look in zip(halves(views.truth_S), HALVES.values(), strict=True):
        shares = np.histogram(cosine_S[half], edges)[0] / max(len(half), 1) * 100
        axes.stairs(shares, edges, linewidth=1.4, **look)
        axes.axvline(cosine_S[half].mean(), linewidth=0.9, **look)
    axes.set_xlabel("cos(generated image, target)")
    axes.grid(axis="y")
