"""Number of images: every fusion with K = 1, 2, … of the generated images (DAR, section 5.3)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from daitir.analyses.again import rank_again, samples_of, with_images
from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing, headline, lines_by_system
from daitir.plots import Pictures, line_pictures


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system, K, round, measure) for K from 1 to as many images as were drawn.

    The first K images are seen, which come from the first K prompts. A fusion whose options fix its number of
    images is measured with that number alone; one that is trained sees K images with the weights it has.
    """
    for name, fusion, sources in with_images(subject):
        samples = samples_of(sources)
        images_MKD = samples.images_MKD
        assert images_MKD is not None
        fixed = getattr(fusion, "images", None)
        for count in [fixed] if fixed else range(1, images_MKD.shape[1] + 1):
            seen = replace(samples, images_MKD=images_MKD[:, :count])
            yield from subject.measured(name, rank_again(fusion, sources.weights, seen), images=count)


def figure(table: pd.DataFrame, drawing: Drawing) -> Pictures:
    """Hits@k at the last round by K."""
    lines = lines_by_system(headline(table, drawing), drawing, "images")
    title = f"Hits@{drawing.k} at the last round by number of images, {drawing.dialogues}"
    return line_pictures(title, "images a round, K", lines, per_cent=True)
