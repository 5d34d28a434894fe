"""Text, image and target under an encoder before and after it was tuned, as their comparison was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from daitir.layout import Layout, parts_of_instance
from daitir.report.reading import read_csv, read_figure
from daitir.report.run import Measured
from daitir.report.trained import tuned_seeds

MEASURES = {
    "agreement": "cos(text, image)",
    "text_target": "cos(text, target)",
    "image_target": "cos(image, target)",
    "faithful": "the same, faithful half of the images",
    "hallucinated": "the same, hallucinated half",
    "difference": "faithful less hallucinated",
    "follows_truth": "rank correlation of cos(image, target) with the truth",
    "gap_text_image": "distance of the centres of texts and images",
}


@dataclass(frozen=True)
class Change:
    """One number before tuning, and after: the mean over seeds, the lowest and the highest."""

    before: float
    after: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Views:
    """A tuned encoder beside what it came from, on one dialogue set: changes by measure, one a round."""

    encoder: str
    base: str
    dialogues: str
    seeds: int
    rounds: Sequence[int]
    changes: Mapping[str, Sequence[Change]]
    figure: str

    @property
    def has_truth(self) -> bool:
        """Whether somebody knew what of an image is true of its target."""
        return MEASURES["faithful"] in self.changes


def views_of(layout: Layout, run: Measured) -> list[Views]:
    """Return the comparisons of a dialogue set: of each tuned encoder by which a system looks at images."""
    name = run.dialogues.name
    seeing = (system for system in run.searching if system.images is not None)
    tuned = {system.encoder: None for system in seeing if tuned_seeds(layout, system, name)}
    return [_views(layout, encoder, name) for encoder in tuned]


def _views(layout: Layout, encoder: str, dialogues: str) -> Views:
    name = f"views-{encoder}.{dialogues}"
    table = read_csv(Path(layout.table(name)))
    is_after = table["encoder"].map(lambda instance: parts_of_instance(instance)[1] is not None)
    before, after = table[~is_after], table[is_after]
    rounds = sorted(before["round"].tolist())
    return Views(
        encoder=encoder,
        base=str(before["encoder"].iloc[0]),
        dialogues=dialogues,
        seeds=after["encoder"].nunique(),
        rounds=rounds,
        changes={
            label: [_change(before, after, measure, round_) for round_ in rounds]
            for measure, label in MEASURES.items()
            if measure in table
        },
        figure=read_figure(Path(layout.figure(name))),
    )


def _change(before: pd.DataFrame, after: pd.DataFrame, measure: str, round_: int) -> Change:
    old, new = (rows.loc[rows["round"] == round_, measure].tolist() for rows in (before, after))
    return Change(old[0], sum(new) / len(new), min(new), max(new))
