"""Gathers what a shown dialogue consists of: turns, query texts, prompts, generated images, candidates."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from daitir.dialogues import Dialogue, read_dialogues
from daitir.errors import DaitirError
from daitir.layout import Layout, shard_names
from daitir.queries import Query, picks_shard, picture_key, query_key, read_queries
from daitir.ranks import ranks_provenance
from daitir.report.examples import Choice, Drawn, Example, Moment, choose, log_gain, moment
from daitir.report.pictures import data_uri
from daitir.report.run import Measured, System
from daitir.roots import inside
from daitir.shards import read_shard


@dataclass(frozen=True)
class Gallery:
    """Where the parts of a dialogue set's examples lie; what was read once is kept."""

    layout: Layout
    dialogues: str
    shards: int
    corpus_images: Path
    read: dict[Path, dict[str, Query]] = field(default_factory=dict)
    uris: dict[Path, str] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, Dialogue]:
        """All dialogues by their id."""
        found = read_dialogues(Path(self.layout.dialogues(self.dialogues)))
        return {dialogue.dialogue_id: dialogue for dialogue in found}

    def shard_of(self, dialogue_id: str) -> str:
        """Return the shard that a dialogue lies in."""
        names = shard_names(self.shards)
        return next(shard for shard in names if dialogue_id in picks_shard(list(self.by_id), shard))

    def query(self, system: System, dialogue_id: str, round_: int) -> Query:
        """Return what a system's reformulator made of one round."""
        path = Path(self.layout.queries(system.queries, self.dialogues, self.shard_of(dialogue_id)))
        if path not in self.read:
            self.read[path] = {query.key: query for query in read_queries(path)}
        found = self.read[path].get(query_key(dialogue_id, round_))
        if found is None:
            raise DaitirError(
                f"{path} lacks round {round_} of {dialogue_id!r}: remove the shard and run again"
            )
        return found

    def looks_at(self, system: System) -> int | None:
        """Return how many images of a round the system's fusion looks at; None for all."""
        record = ranks_provenance(Path(self.layout.ranks(system.name, self.dialogues)))
        return record["options"].get("fusion", {}).get("images")

    def drawn(self, system: System, query: Query) -> list[Drawn]:
        """Return the images of a query, each with the prompt that it was drawn from, or its file."""
        if system.images is None:
            return []
        shard = self.shard_of(query.dialogue_id)
        path = Path(self.layout.images(system.images, system.queries, self.dialogues, shard))
        names = {picture_key(query.dialogue_id, query.round, k + 1): k for k in range(len(query.prompts))}
        pictures = sorted(read_shard(path, names), key=lambda picture: names[picture.key])
        if not pictures:
            raise DaitirError(f"{path} lacks the images of {query.key!r}: remove the shard and run again")
        seen = self.looks_at(system)
        return [
            Drawn(
                caption=picture.link.name if picture.link else query.prompts[names[picture.key]],
                uri=data_uri(picture.data, f"{path}: {picture.key}"),
                is_published=picture.link is not None,
                is_seen=seen is None or names[picture.key] < seen,
            )
            for picture in pictures
        ]

    def candidate_uri(self, key: str) -> str:
        """Return an image of the corpus as a data URI."""
        path = inside(self.corpus_images, key, "ranks")
        if not path.is_file():
            raise DaitirError(f"corpus image {path} does not exist: mend `images:` of the corpus")
        if path not in self.uris:
            self.uris[path] = data_uri(path.read_bytes(), str(path))
        return self.uris[path]


def focus(run: Measured) -> tuple[System, System] | None:
    """Return the fusion that the examples are about, the best in the headline measure, and its baseline."""
    if not run.fusions:
        return None
    best = max(run.fusions, key=lambda system: run.value(system.name, run.hits, run.last).value)
    return best, run.systems[str(best.baseline)]


def gather(
    gallery: Gallery, pair: tuple[System, System], frames: dict[str, pd.DataFrame], count: int
) -> list[Example]:
    """Return ``count`` examples of a system against its baseline; of several seeds the first is shown."""
    rows = {system.name: _first_seed(frames[system.name]) for system in pair}
    choices = choose(log_gain(rows[pair[0].name], rows[pair[1].name]), count)
    return [_example(gallery, pair[0], rows, choice) for choice in choices]


def _first_seed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["seed"] == frame["seed"].min()]


def _example(gallery: Gallery, shown: System, rows: dict[str, pd.DataFrame], choice: Choice) -> Example:
    own = {
        name: frame[frame["dialogue_id"] == choice.dialogue_id].set_index("round").sort_index()
        for name, frame in rows.items()
    }
    rounds = [int(round_) for round_ in own[shown.name].index]
    dialogue = gallery.by_id[choice.dialogue_id]
    moments = [
        _moment(gallery, shown, dialogue, own, round_)
        for round_ in sorted({rounds[0], choice.round, rounds[-1]})
    ]
    return Example(
        dialogue_id=choice.dialogue_id,
        why=choice.why,
        target_key=dialogue.target,
        target_uri=gallery.candidate_uri(dialogue.target),
        rounds=rounds,
        ranks={name: frame["rank"].tolist() for name, frame in own.items()},
        first_shown=choice.round,
        moments=moments,
    )


def _moment(
    gallery: Gallery, shown: System, dialogue: Dialogue, own: dict[str, pd.DataFrame], round_: int
) -> Moment:
    query = gallery.query(shown, dialogue.dialogue_id, round_)
    rows = {name: frame.loc[[round_]].to_dict("records")[0] for name, frame in own.items()}
    return moment(dialogue, query, gallery.drawn(shown, query), rows, gallery.candidate_uri)
