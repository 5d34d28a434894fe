"""Number of images: every fusion with K = 1, 2, … of the generated images (DAR, section 5.3)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing, headline, lines_by_system
from daitir.analyses.variants import Variant, variants_of
from daitir.charts import Chart


def variants(subject: Subject) -> Iterator[Variant]:
    """Each system with 1, 2, … images, up to as many as were drawn."""
    for one in variants_of(subject):
        is_fixed = getattr(one.fusion, "images", None) is not None
        for count in [one.count] if is_fixed else range(1, one.count + 1):
            yield replace(one, count=count)


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system, K, round, measure) for K from 1 to as many images as were drawn.

    The first K images are seen, which come from the first K prompts. A fusion whose options fix its number of
    images is measured with that number alone; one that is trained sees K images with the weights it has.
    """
    from daitir.analyses.again import rank_variants

    for variant, frame in rank_variants(subject, variants(subject)):
        yield from subject.measured(variant.system, frame, images=variant.count)


def figure(table: pd.DataFrame, drawing: Drawing) -> Chart:
    """Hits@k at the last round by K."""
    lines = lines_by_system(headline(table, drawing), drawing, "images")
    title = f"Hits@{drawing.k} at the last round by number of images, {drawing.dialogues}"
    return Chart(title, "images a round, K", lines, per_cent=True)
