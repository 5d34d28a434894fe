"""How texts, generated images and targets lie to each other under one encoder: cosines, gaps, a plane.

A generated image may show what is not true of its target (a hallucinated cue). Where somebody can tell how
much of it is true, the truer half of a round's images is called faithful and the other hallucinated.

Shape suffixes: S queries of one round, D feature, P points.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from daitir.files import digest_text


@dataclass(frozen=True)
class RoundViews:
    """Unit features (S x D) of a round's queries, one image each, and of their targets.

    ``names`` are the dialogues'; ``truth_S`` is the share of each image that is true of its target, None
    where nobody knows.
    """

    names: list[str]
    text_SD: np.ndarray
    image_SD: np.ndarray
    target_SD: np.ndarray
    truth_S: np.ndarray | None = None


class Plane(NamedTuple):
    """Places of the three views on two principal axes (S x 2), and the axes' shares of the variance."""

    text_S2: np.ndarray
    image_S2: np.ndarray
    target_S2: np.ndarray
    shares: tuple[float, float]


def cosines(one_SD: np.ndarray, other_SD: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of one view with the same row of the other (S)."""
    return np.einsum("sd,sd->s", one_SD.astype(np.float64), other_SD.astype(np.float64))


def gap(one_SD: np.ndarray, other_SD: np.ndarray) -> float:
    """Return the modality gap of two views: the distance of their centroids (Liang et al. 2022)."""
    centroids = (view_SD.mean(axis=0, dtype=np.float64) for view_SD in (one_SD, other_SD))
    return float(np.linalg.norm(next(centroids) - next(centroids)))


def halves(truth_S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the faithful and of the hallucinated half.

    Ties of the truth are split as they stand, so that both halves are of one size, or the first has one more.
    """
    faithful, hallucinated = np.array_split(np.argsort(-truth_S, kind="stable"), 2)
    return faithful, hallucinated


def summarise(views: RoundViews) -> dict[str, float]:
    """Return one row of the table.

    Mean cosines: ``agreement`` of text and image, ``text_target``, ``image_target``; the modality gaps; where
    the truth is known its mean, ``image_target`` of either half, their ``difference`` (what a faithful image
    gains) and how far that cosine follows the truth (Spearman's correlation).
    """
    image_target_S = cosines(views.image_SD, views.target_SD)
    row = {
        "queries": len(views.names),
        "agreement": float(cosines(views.text_SD, views.image_SD).mean()),
        "text_target": float(cosines(views.text_SD, views.target_SD).mean()),
        "image_target": float(image_target_S.mean()),
        "gap_text_image": gap(views.text_SD, views.image_SD),
        "gap_text_target": gap(views.text_SD, views.target_SD),
        "gap_image_target": gap(views.image_SD, views.target_SD),
    }
    if views.truth_S is None:
        return row
    near, far = (float(image_target_S[half].mean()) for half in halves(views.truth_S))
    ranked = pd.DataFrame({"truth": views.truth_S, "cosine": image_target_S}).rank()
    return row | {
        "truth": float(views.truth_S.mean()),
        "faithful": near,
        "hallucinated": far,
        "difference": near - far,
        "follows_truth": float(ranked["truth"].corr(ranked["cosine"])),
    }


def plane_of(views: RoundViews) -> Plane:
    """Return where the views lie on the first two principal axes of all of them under this encoder.

    An axis points to where its largest part is positive; places are rounded, so that the last bits of a
    machine's arithmetic do not show.
    """
    parts = (views.text_SD, views.image_SD, views.target_SD)
    all_PD = np.concatenate(parts).astype(np.float64)
    centred_PD = all_PD - all_PD.mean(axis=0)
    _, size, axes = np.linalg.svd(centred_PD, full_matrices=False)
    axes_2D = axes[:2] * np.sign(axes[:2][range(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    variance = size**2 / max((size**2).sum(), np.finfo(float).tiny)
    text_S2, image_S2, target_S2 = np.split((centred_PD @ axes_2D.T).round(4) + 0.0, 3)
    return Plane(text_S2, image_S2, target_S2, (float(variance[0]), float(variance[1])))


def sample(names: list[str], count: int) -> list[int]:
    """Return the rows of up to ``count`` queries, drawn by their names: the same under every encoder."""
    drawn = sorted(range(len(names)), key=lambda row: digest_text("views", names[row]))
    return sorted(drawn[:count])
