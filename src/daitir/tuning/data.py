"""The samples of a tuning: query texts, generated images and target images, joined and split by name."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from daitir.corpora import read_candidate
from daitir.dialogues import Dialogue
from daitir.encoders import Encoder
from daitir.errors import DaitirError
from daitir.files import digest_text
from daitir.fusions.training.data import is_held_out, random_state
from daitir.queries import Query, picture_key
from daitir.shards import ShardPictures


class Sample(NamedTuple):
    """One round of a dialogue; ``picture`` is the key of a generated image, None where none is seen."""

    text: str
    picture: str | None
    target: str


class Round(NamedTuple):
    """A query text and the keys of its generated images, from k = 1 on; none where none are seen."""

    text: str
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """A dialogue: its name, its target, its rounds as far as there are queries of them."""

    dialogue_id: str
    target: str
    rounds: tuple[Round, ...]


def draw(dialogues: list[Told], seed: int, epoch: int) -> list[Sample]:
    """Return one sample a dialogue, shuffled: a random round and a random one of its images.

    Decided by (seed, epoch) alone.
    """
    generator = torch.Generator().manual_seed(random_state("tuning", seed, epoch))
    chance_S2 = torch.rand(len(dialogues), 2, generator=generator, dtype=torch.float64).tolist()
    samples = []
    for told, (which, image) in zip(dialogues, chance_S2, strict=True):
        text, pictures = told.rounds[int(which * len(told.rounds))]
        picture = pictures[int(image * len(pictures))] if pictures else None
        samples.append(Sample(text, picture, told.target))
    return [samples[place] for place in torch.randperm(len(samples), generator=generator).tolist()]


def one_round_each(dialogues: list[Told]) -> list[Sample]:
    """Return one sample a dialogue, of a round drawn by the dialogue's name, with its first image."""
    samples = []
    for told in dialogues:
        place = int(digest_text("tuning", told.dialogue_id), 16) % len(told.rounds)
        text, pictures = told.rounds[place]
        samples.append(Sample(text, pictures[0] if pictures else None, told.target))
    return samples


def join(
    dialogues: list[Dialogue], queries: list[Query], pictures: Collection[str] | None, corpus: list[str]
) -> list[Told]:
    """Return the dialogues with their queries and images, sorted by name; no ``pictures``: none are seen.

    Stopped on: a dialogue without queries, a query of no dialogue, a query without its image, a target
    outside the corpus.
    """
    asked: dict[str, list[Query]] = {dialogue.dialogue_id: [] for dialogue in dialogues}
    for query in queries:
        if query.dialogue_id not in asked:
            raise DaitirError(f"query {query.key} belongs to no dialogue: give the queries of this set")
        asked[query.dialogue_id].append(query)
    known = set(corpus)
    for dialogue in dialogues:
        if not asked[dialogue.dialogue_id]:
            raise DaitirError(f"dialogue {dialogue.dialogue_id} has no query: give all shards of queries")
        if dialogue.target not in known:
            raise DaitirError(
                f"dialogue {dialogue.dialogue_id}: its target {dialogue.target!r} is not in the corpus:"
                " give the corpus that the dialogues search"
            )
    return [
        Told(
            dialogue.dialogue_id,
            dialogue.target,
            tuple(Round(query.query_text, _images(query, pictures)) for query in asked[dialogue.dialogue_id]),
        )
        for dialogue in sorted(dialogues, key=lambda dialogue: dialogue.dialogue_id)
    ]


def _images(query: Query, pictures: Collection[str] | None) -> tuple[str, ...]:
    if pictures is None:
        return ()
    found: list[str] = []
    while (key := picture_key(query.dialogue_id, query.round, len(found) + 1)) in pictures:
        found.append(key)
    if not found:
        raise DaitirError(f"query {query.key} has no generated image: give all image shards of the queries")
    return tuple(found)


def split(dialogues: list[Told], fraction: float) -> tuple[list[Told], list[Told]]:
    """Return the dialogues to train on and the held-out ones that choose the epoch, as fusions split them.

    A dialogue is held out by a hash of its target's key: whatever else is trained on the same dialogues with
    the same fraction holds out the same.
    """
    trained = [told for told in dialogues if not is_held_out(told.target, fraction)]
    held_out = [told for told in dialogues if is_held_out(told.target, fraction)]
    if len(trained) < 2 or len(held_out) < 2:
        raise DaitirError(
            f"held_out {fraction} leaves {len(trained)} dialogues to train on and {len(held_out)} to choose"
            " by: train on a larger dialogue set or change held_out"
        )
    return trained, held_out


@dataclass(frozen=True)
class ImageFiles:
    """Generated images in their shards and target images in their folder, as an encoder takes them."""

    encoder: Encoder
    corpus: Path
    folder: Path
    pictures: ShardPictures | None

    def target(self, name: str) -> np.ndarray:
        """Return a target image (C x H x W)."""
        data = read_candidate(self.folder, name, self.corpus)
        return self.encoder.read_pixels(data, str(self.folder / name))

    def picture(self, key: str | None) -> np.ndarray:
        """Return a generated image (C x H x W)."""
        assert self.pictures is not None
        assert key is not None
        return self.encoder.read_pixels(self.pictures.read(key), f"picture {key}")
