"""Stress: what remains when images or texts are wrong. Made from stored features alone, without a model.

Shape suffixes: M samples (one a dialogue and round), K generated images, D feature.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing, headline, lines_by_system
from daitir.analyses.variants import Disturb, Variant, images_of, unchanged, variants_of
from daitir.charts import Chart
from daitir.errors import DaitirError
from daitir.files import digest_text
from daitir.samples import Samples

WRONG_SHARE = 0.25


def shuffled_images(samples: Samples) -> Samples:
    """Each dialogue has the images of another one, of the same round: wrong in content, right in kind."""
    return replace(samples, images_MKD=images_of(samples)[_rows_of_others(samples)])


def one_image(samples: Samples) -> Samples:
    """Every image is the same one that tells nothing: the mean of the corpus, at unit length.

    It stands for a blank picture, whose own feature no store holds.
    """
    mean_D = samples.corpus.matrix.mean(axis=0, dtype=np.float64)
    constant_D = (mean_D / np.linalg.norm(mean_D)).astype(np.float32)
    return replace(samples, images_MKD=np.broadcast_to(constant_D, images_of(samples).shape).copy())


def first_images(samples: Samples) -> Samples:
    """The images of round 0 at every round: drawn from the caption, whatever was said since."""
    return replace(samples, images_MKD=images_of(samples)[_rows_of(samples, lambda round_: 0)])


def late_text(samples: Samples) -> Samples:
    """The text of the round before, as if the last answer had not been understood; round 0 keeps its own."""
    return replace(samples, text_MD=samples.text_MD[_rows_of(samples, lambda round_: max(round_ - 1, 0))])


def wrong_text(samples: Samples) -> Samples:
    """A quarter of the text is about another target: normalise(0.75 t + 0.25 t'), t' of another dialogue.

    It stands for wrong answers, which would have to be encoded anew.
    """
    other_MD = samples.text_MD[_rows_of_others(samples)]
    mixed_MD = (1 - WRONG_SHARE) * samples.text_MD + WRONG_SHARE * other_MD
    return replace(samples, text_MD=mixed_MD / np.linalg.norm(mixed_MD, axis=1, keepdims=True))


STRESS: dict[str, Disturb] = {
    "none": unchanged,
    "shuffled images": shuffled_images,
    "one image": one_image,
    "first images": first_images,
    "late text": late_text,
    "wrong text": wrong_text,
}


def variants(subject: Subject) -> Iterator[Variant]:
    """Each system under every stress."""
    for one in variants_of(subject):
        for disturb in STRESS.values():
            yield replace(one, disturb=disturb)


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system with images, stress, round, measure); also ``gate``, the mean weight of the text."""
    from daitir.analyses.again import rank_variants

    names = {disturb: stress for stress, disturb in STRESS.items()}
    for variant, frame in rank_variants(subject, variants(subject)):
        gates = frame.groupby("round")["gate"].mean()
        for row in subject.measured(variant.system, frame, stress=names[variant.disturb]):
            yield row | {"gate": gates[row["round"]]}


def partners(dialogue_ids: list[str]) -> dict[str, str]:
    """Return for each dialogue another one: the next in an order by digest, which no other file decides."""
    if len(dialogue_ids) < 2:
        raise DaitirError(
            "one dialogue has none to exchange with: take analysis `stress` out or add dialogues"
        )
    ordered = sorted(dialogue_ids, key=lambda name: digest_text("stress", name))
    return dict(zip(ordered, [*ordered[1:], ordered[0]], strict=True))


def _rows_of_others(samples: Samples) -> np.ndarray:
    place = _places(samples)
    other = partners(sorted(set(samples.dialogue_ids)))
    return np.array([place[other[name], round_] for name, round_ in place])


def _rows_of(samples: Samples, wanted: Callable[[int], int]) -> np.ndarray:
    place = _places(samples)
    return np.array([place[name, wanted(round_)] for name, round_ in place])


def _places(samples: Samples) -> dict[tuple[str, int], int]:
    names = zip(samples.dialogue_ids, samples.round_M.tolist(), strict=True)
    return {key: row for row, key in enumerate(names)}


def figure(table: pd.DataFrame, drawing: Drawing) -> Chart:
    """Hits@k at the last round by stress."""
    names, chosen = list(STRESS), headline(table, drawing)
    lines = lines_by_system(chosen.assign(place=chosen["stress"].map(names.index)), drawing, "place")
    title = f"Hits@{drawing.k} at the last round under stress, {drawing.dialogues}"
    return Chart(title, "", lines, per_cent=True, ticks=names)
