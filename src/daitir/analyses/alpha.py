"""Weight of the text: DAR's sum with alpha = 0, 0.1, …, 1 at every round, from images alone to text alone."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing
from daitir.analyses.variants import Variant, images_of, samples_of, variants_of
from daitir.charts import Chart, Line
from daitir.fusions.options import DarOptions

STEPS = tuple(step / 10 for step in range(11))


def variants(subject: Subject) -> Iterator[Variant]:
    """One of the first system of each encoder, reformulator and generator a step; all images are seen."""
    seen = set()
    for one in variants_of(subject):
        if (materials := tuple(_materials(subject, one.system).values())) not in seen:
            seen.add(materials)
            drawn = images_of(samples_of(one.sources)).shape[1]
            for alpha in STEPS:
                yield replace(one, fusion=DarOptions(alpha={0: alpha}), count=drawn, weights=())


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (materials, alpha, round, measure); systems of one encoder, reformulator and generator share them.

    ``system`` is the first of them. All images that were drawn are summed, as in DAR's equation. The best
    alpha of a round is chosen here by the test queries: it bounds what any schedule could reach.
    """
    from daitir.analyses.again import rank_variants

    for variant, frame in rank_variants(subject, variants(subject)):
        assert isinstance(variant.fusion, DarOptions)
        materials = _materials(subject, variant.system)
        yield from subject.measured(variant.system, frame, **materials, alpha=variant.fusion.alpha[0])


def _materials(subject: Subject, name: str) -> dict[str, str | None]:
    system = subject.systems[name]
    return {"encoder": system.encoder, "queries": system.queries, "images": system.images}


def figure(table: pd.DataFrame, drawing: Drawing) -> Chart:
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
    return Chart(title, "alpha (0: images alone, 1: text alone)", lines, per_cent=True)
