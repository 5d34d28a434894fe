"""By repetition: the dialogues by the share of their turns that say again what an earlier turn said."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing, headline, lines_by_system
from daitir.charts import Chart

BANDS = {"none": 0.0, "up to 25 %": 0.25, "up to 50 %": 0.5, "above": 1.0}


def repeated(turns: Sequence[str]) -> float:
    """Share of the turns after the caption that an earlier turn equals, letters and blanks aside."""
    said = [" ".join(turn.lower().split()) for turn in turns]
    again = [said[place] in said[:place] for place in range(1, len(said))]
    return sum(again) / len(again) if again else 0.0


def band(share: float) -> str:
    """Name of the band that a share is in."""
    return next(name for name, top in BANDS.items() if share <= top)


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system, band of the share of repeated turns, round, measure); an empty band has none."""
    for system in subject.systems:
        frame = subject.ranks(system)
        bands = {name: band(repeated(turns)) for name, turns in subject.turns(system).items()}
        of_row = frame["dialogue_id"].map(bands)
        for name in BANDS:
            own = frame[of_row == name]
            if len(own):
                number = own["dialogue_id"].nunique()
                yield from subject.measured(system, own, repeated=name, number=number)


def figure(table: pd.DataFrame, drawing: Drawing) -> Chart:
    """Hits@k at the last round by bands."""
    names, chosen = list(BANDS), headline(table, drawing)
    lines = lines_by_system(chosen.assign(place=chosen["repeated"].map(names.index)), drawing, "place")
    title = f"Hits@{drawing.k} at the last round by repetition, {drawing.dialogues}"
    return Chart(title, "share of repeated turns", lines, per_cent=True, ticks=names)
