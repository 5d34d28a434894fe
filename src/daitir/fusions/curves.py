"""How the trainings of a fusion went, as one figure: loss, held-out Hits@10, gate, load of the experts."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from daitir.charts import COLOURS, DASHES, PAPER
from daitir.plots import FONT_SIZE, STYLE, svg_text

INCHES = (8.6, 6.0)
GREY, BLUE, GREEN = COLOURS[0], COLOURS[1], COLOURS[3]


def history_figure(title: str, histories: Sequence[pd.DataFrame]) -> str:
    """Return an SVG of the histories of one fusion, a dash a seed, in the order given.

    The epoch whose weights were kept has a point; the gate has a band of one standard deviation; each expert
    has its colour. A network without a gate or without experts has an empty panel that says so.
    """
    panels: Sequence[tuple[str, Callable[[Axes, pd.DataFrame, Any], None]]] = [
        ("loss of the training dialogues", _loss),
        ("Hits@10 of the held-out dialogues, %", _hits),
        ("gate: weight of the text, mean and spread", _gate),
        ("load of each expert", _experts),
    ]
    with matplotlib.rc_context(STYLE):
        figure, places = epoch_panels(title, [name for name, _ in panels])
        for (_, draw), axes in zip(panels, places, strict=True):
            for dashes, history in zip(seed_dashes(), histories, strict=False):
                draw(axes, history, dashes)
            if draw in {_gate, _experts}:
                axes.set_ylim(0, 1 if draw is _gate else None)
        return finish(figure)


def epoch_panels(title: str, names: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Return a figure of four named panels over the epochs, for the lines of each seed."""
    figure = Figure(figsize=INCHES, facecolor=PAPER, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=FONT_SIZE + 1.5, parse_math=False)
    places = list(figure.subplots(2, 2, sharex=True).flat)
    for name, axes in zip(names, places, strict=True):
        axes.set_title(name, loc="left", fontsize=FONT_SIZE)
        axes.grid(axis="y")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, places


def finish(figure: Figure) -> str:
    """Return the SVG of a figure; a panel without lines says so."""
    for axes in figure.axes:
        if not axes.lines:
            axes.text(0.5, 0.5, "none", ha="center", transform=axes.transAxes)
    return svg_text(figure)


def seed_dashes() -> Iterator[Any]:
    """Yield the dashes of one seed after the other."""
    while True:
        yield from DASHES


def _loss(axes: Axes, history: pd.DataFrame, dashes: Any) -> None:
    epoch_line(axes, history, history["loss"], GREY, dashes)


def _hits(axes: Axes, history: pd.DataFrame, dashes: Any) -> None:
    if history["hits_at_10"].notna().all():
        epoch_line(axes, history, history["hits_at_10"] * 100, BLUE, dashes)


def _gate(axes: Axes, history: pd.DataFrame, dashes: Any) -> None:
    if history["gate_mean"].isna().any():
        return
    mean, spread = (history[name].astype(float) for name in ("gate_mean", "gate_spread"))
    axes.fill_between(history["epoch"], mean - spread, mean + spread, color=GREEN, alpha=0.12, linewidth=0)
    epoch_line(axes, history, mean, GREEN, dashes)


def _experts(axes: Axes, history: pd.DataFrame, dashes: Any) -> None:
    if history["expert_load"].isna().any():
        return
    load_RE = np.stack(history["expert_load"].tolist())
    for expert, load_R in enumerate(load_RE.T):
        epoch_line(axes, history, pd.Series(load_R), COLOURS[expert % len(COLOURS)], dashes)


def epoch_line(axes: Axes, history: pd.DataFrame, values: pd.Series, colour: str, dashes: Any) -> None:
    """Draw what one history says of each epoch, with a point where the weights were kept."""
    axes.plot(history["epoch"], values, color=colour, linestyle=dashes, linewidth=1.4)
    kept = history["chosen"].to_numpy(dtype=bool)
    axes.plot(history["epoch"][kept], values.to_numpy()[kept], "o", color=colour, markeredgecolor=PAPER)
