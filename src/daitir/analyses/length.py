"""By length: the dialogues in thirds by their number of words (ADaFuSE's question about longer dialogues)."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing, headline, lines_by_system
from daitir.charts import Chart

NAMES = ("short", "middle", "long")


def words(turns: Sequence[str]) -> int:
    """Words of a dialogue."""
    return sum(len(turn.split()) for turn in turns)


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system, third, round, measure), and the words of the shortest and longest dialogue of the third.

    A dialogue is in one third at all rounds: a cumulative measure is of the same dialogues throughout.
    """
    for system in subject.systems:
        frame = subject.ranks(system)
        found = {name: words(turns) for name, turns in subject.turns(system).items()}
        for name, chosen in thirds(found).items():
            lengths = [found[key] for key in chosen]
            columns = {"length": name, "words_from": min(lengths), "words_to": max(lengths)}
            own = frame[frame["dialogue_id"].isin(chosen)]
            yield from subject.measured(system, own, **columns, number=len(chosen))


def thirds(values: dict[str, int]) -> dict[str, list[str]]:
    """Return three groups of names by their values, as equal in size as they can be; ties go by the name."""
    ordered = sorted(values, key=lambda name: (values[name], name))
    parts = np.array_split(np.array(ordered, dtype=object), len(NAMES))
    return {name: list(part) for name, part in zip(NAMES, parts, strict=True) if len(part)}


def figure(table: pd.DataFrame, drawing: Drawing) -> Chart:
    """Hits@k at the last round by thirds."""
    chosen = headline(table, drawing)
    chosen = chosen.assign(place=chosen["length"].map(NAMES.index))
    lines = lines_by_system(chosen, drawing, "place")
    title = f"Hits@{drawing.k} at the last round by length, {drawing.dialogues}"
    return Chart(title, "dialogues by number of words", lines, per_cent=True, ticks=NAMES)
