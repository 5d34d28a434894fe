"""How the tunings of an encoder went, as one figure: loss, weights of its terms, held-out recall, cosines."""

from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from daitir.charts import COLOURS
from daitir.fusions.curves import epoch_line, epoch_panels, finish, seed_dashes
from daitir.plots import FONT_SIZE, STYLE, spread
from daitir.tuning import TERMS

GREY, BLUE, ORANGE, GREEN, PURPLE, YELLOW = COLOURS[:6]
OF_TERM = dict(zip(TERMS, (ORANGE, BLUE, GREEN, PURPLE, YELLOW), strict=True))
HEIGHT_OF_NAME = 0.085  # of a panel

Lines = dict[str, tuple[str, pd.Series]]
"""By name: colour and values, one an epoch."""


def tuning_figure(title: str, histories: Sequence[pd.DataFrame]) -> str:
    """Return an SVG of the histories of one encoder, a dash a seed, in the order given.

    Epoch 0 is the encoder as it was; the epoch whose weights were kept has a point. A line is named at its
    right end. Where only texts are trained there is one term, whose weight is no line, and nothing of images.
    """
    panels: Sequence[tuple[str, Callable[[pd.DataFrame], Lines]]] = [
        ("loss of the training dialogues and its terms", _losses),
        ("weights of the terms", _weights),
        ("Recall@10 of the held-out dialogues, %", _recalls),
        ("mean cosines of the held-out dialogues", _cosines),
    ]
    with matplotlib.rc_context(STYLE):
        figure, places = epoch_panels(title, [name for name, _ in panels])
        for (_, lines_of), axes in zip(panels, places, strict=True):
            seeds = [(history, lines_of(history)) for history in histories]
            for dashes, (history, lines) in zip(seed_dashes(), seeds, strict=False):
                for colour, values in lines.values():
                    epoch_line(axes, history, values, colour, dashes)
            _name_lines(axes, [lines for _, lines in seeds])
        return finish(figure)


def _losses(history: pd.DataFrame) -> Lines:
    terms = _of_terms(history, "terms")
    return {"loss": (GREY, history["loss"])} | (terms if len(terms) > 1 else {})


def _weights(history: pd.DataFrame) -> Lines:
    weights = _of_terms(history, "weights")
    return weights if len(weights) > 1 else {}


def _of_terms(history: pd.DataFrame, column: str) -> Lines:
    """Return the values of each term; before the first epoch there is no loss."""
    rows = [() if row is None else tuple(row) for row in history[column]]
    names = TERMS[: max(map(len, rows))]
    return {
        name.replace("_", "-"): (
            OF_TERM[name],
            pd.Series([row[place] if row else np.nan for row in rows], dtype=float),
        )
        for place, name in enumerate(names)
    }


def _recalls(history: pd.DataFrame) -> Lines:
    columns = {"both": ("recall_at_10", GREEN), "text": ("text_recall_at_10", BLUE)}
    return _there(history, columns | {"image": ("image_recall_at_10", ORANGE)}, 100)


def _cosines(history: pd.DataFrame) -> Lines:
    columns = {"text-image": ("text_image_cosine", PURPLE), "text-target": ("text_target_cosine", BLUE)}
    return _there(history, columns | {"image-target": ("image_target_cosine", ORANGE)}, 1)


def _there(history: pd.DataFrame, columns: dict[str, tuple[str, str]], scale: float) -> Lines:
    """Return the columns that hold numbers; without images, what is ranked by both is the text alone."""
    sees_images = history["image_recall_at_10"].notna().all()
    return {
        name: (colour, history[column] * scale)
        for name, (column, colour) in columns.items()
        if history[column].notna().all() and (sees_images or name != "both")
    }


def _name_lines(axes: Axes, seeds: Sequence[Lines]) -> None:
    """Write the names of the lines beside where they end, in the mean over the seeds."""
    right = max((float(np.max(line.get_xdata())) for line in axes.lines), default=0.0)
    ends = sorted(
        (float(np.mean([lines[name][1].iloc[-1] for lines in seeds])), name, colour)
        for name, (colour, _) in seeds[0].items()
    )
    low, high = axes.get_ylim()
    gap = (high - low) * HEIGHT_OF_NAME
    for (_, name, colour), y in zip(ends, spread([end[0] for end in ends], gap, high), strict=True):
        axes.annotate(
            name,
            (right, y),
            xytext=(6, 0),
            textcoords="offset points",
            color=colour,
            fontsize=FONT_SIZE - 1,
            va="center",
            annotation_clip=False,
        )
