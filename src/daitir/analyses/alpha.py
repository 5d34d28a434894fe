"""Weight of the text: DAR's sum with alpha = 0, 0.1, …, 1 at every round, from images alone to text alone."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from daitir.analyses.again import rank_again, samples_of, with_images
from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing
from daitir.fusions.options import DarOptions
from daitir.plots import Line, Pictures, line_pictures

STEPS = tuple(step / 10 for step in range(11))


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (materials, alpha, round, measure); systems of one encoder, reformulator and generator share them.

    ``system`` is the first of them. All images that were drawn are summed, as in DAR's equation. The best
    alpha of a round is chosen here by the test queries: it bounds what any schedule could reach.
    """
    seen = set()
    for name, _, sources in with_images(subject):
        system = subject.systems[name]
        materials = {"encoder": system.encoder, "queries": system.queries, "images": system.images}
        if tuple(materials.values()) in seen:
            continue
        seen.add(tuple(materials.values()))
        samples = samples_of(sources)
        for alpha in STEPS:
            frame = rank_again(DarOptions(alpha={0: alpha}), (), samples)
            yield from subject.measured(name, frame, **materials, alpha=alpha)


def figure(table: pd.DataFrame, drawing: Drawing) -> Pictures:
    """Hits@k by alpha: a line a chosen round, of each encoder, reformulator and generator."""
    hits = table[table["measure"] == f"hits@{drawing.k}"]
    chosen = hits[hits["round"].isin([*drawing.rounds, hits["round"].max()])]
    materials = ["encoder", "queries", "images"]
    one, lines = len(chosen[materials].drop_duplicates()) == 1, []
    for place, (key, own) in enumerate(chosen.groupby([*materials, "round"], sort=False)):
        *names, round_ = map(str, key)
        name = f"round {round_}" if one else f"{' '.join(names)} round {round_}"
        alpha, value, low, high = (own[column].tolist() for column in ("alpha", "value", "low", "high"))
        lines.append(Line(name, place, alpha, value, low, high))
    title = f"Hits@{drawing.k} by weight of the text, {drawing.dialogues}"
    return line_pictures(title, "alpha (0: images alone, 1: text alone)", lines, per_cent=True)
