"""Samples: what a fusion sees of each query, joined by name from dialogues and feature stores.

Shape suffixes: M samples (one a dialogue and round), K generated images, D feature, N candidates.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daitir.dialogues import SCHEMA, Dialogue, read_dialogues
from daitir.errors import DaitirError
from daitir.features import Features, StoredFeatures, features_provenance, read_features
from daitir.files import digest_bytes
from daitir.provenance import require_same
from daitir.queries import picture_key, query_key
from daitir.tables import read_table, table_digest


@dataclass(frozen=True)
class Samples:
    """One row a query, sorted by dialogue and round; ``images_MKD`` is None where no images are looked at."""

    dialogue_ids: list[str]
    round_M: np.ndarray
    targets: list[str]
    target_M: np.ndarray
    text_MD: np.ndarray
    images_MKD: np.ndarray | None
    corpus: StoredFeatures
    encoder: dict[str, Any]
    digests: dict[str, str]


@dataclass(frozen=True)
class Sources:
    """The files that samples are joined from; no ``pictures`` where no images are looked at."""

    dialogues: Path
    queries: Path
    pictures: tuple[Path, ...]
    corpus: Path


def add_source_arguments(parser: ArgumentParser, several: bool = False) -> None:
    """Give a stage the arguments that name its sources; ``several``: a store for each seed of an encoder."""
    store: dict[str, Any] = {"type": Path, "required": True} | ({"nargs": "+"} if several else {})
    parser.add_argument("--dialogues", type=Path, required=True, help="dialogue set, Parquet")
    parser.add_argument("--queries", **store, help="features of the query texts, HDF5")
    parser.add_argument(
        "--pictures", type=Path, nargs="*", default=[], help="features of the generated images"
    )
    parser.add_argument("--corpus", **store, help="features of the candidates, HDF5")


def sources_of(arguments: Namespace) -> Sources:
    """Return the sources named on the command line."""
    return Sources(arguments.dialogues, arguments.queries, tuple(arguments.pictures), arguments.corpus)


def sources_by_seed(arguments: Namespace) -> dict[int | None, Sources]:
    """Return the sources by the seed that their encoder was tuned with, None for one that was not.

    ``queries`` and ``corpus`` are lists here, each with one store a seed.
    """
    found: dict[str, dict[int | None, list[Path]]] = {}
    for role in ("queries", "pictures", "corpus"):
        for path in getattr(arguments, role):
            seed = (features_provenance(path)["options"].get("tuned") or {}).get("seed")
            found.setdefault(role, {}).setdefault(seed, []).append(path)
    seeds = found["queries"].keys()
    for role, stores in found.items():
        repeated = role != "pictures" and any(len(paths) > 1 for paths in stores.values())
        if stores.keys() != seeds or repeated:
            raise DaitirError(
                f"features of {role} are of {_seeds(stores)}, those of queries of"
                f" {_seeds(found['queries'])}: give each seed of the encoder once"
            )
    pictures = found.get("pictures", {})
    return {
        seed: Sources(arguments.dialogues, paths[0], tuple(pictures.get(seed, ())), found["corpus"][seed][0])
        for seed, paths in sorted(
            found["queries"].items(), key=lambda pair: -1 if pair[0] is None else pair[0]
        )
    }


def _seeds(stores: dict[int | None, list[Path]]) -> str:
    named = [
        "an encoder without seeds" if seed is None else f"seed {seed}"
        for seed in stores
        for _ in stores[seed]
    ]
    return ", ".join(named)


def read_samples(sources: Sources) -> Samples:
    """Join the queries of a dialogue set with their images, their targets and the corpus.

    Stopped on: features of different encoders or widths, a target outside the corpus, a query without its
    images, a query or image that belongs to no dialogue.
    """
    queries, corpus = read_features(sources.queries), StoredFeatures(sources.corpus)
    stores: dict[str, Features | StoredFeatures] = {"queries": queries, "corpus": corpus}
    pictures = read_features(*sources.pictures) if sources.pictures else None
    if pictures is not None:
        stores["pictures"] = pictures
    encoder = require_one_encoder(stores, sources)
    asked = _asked(sources, queries)
    targets = [dialogue.target for dialogue, _ in asked]
    return Samples(
        dialogue_ids=[dialogue.dialogue_id for dialogue, _ in asked],
        round_M=np.array([round_ for _, round_ in asked], dtype=np.int64),
        targets=targets,
        target_M=_places(targets, corpus.names, sources),
        text_MD=queries.rows([query_key(d.dialogue_id, round_) for d, round_ in asked]),
        images_MKD=None if pictures is None else _images(asked, pictures, sources),
        corpus=corpus,
        encoder=encoder,
        digests={
            "dialogues": table_digest(read_table(sources.dialogues, SCHEMA)),
            "candidates": digest_bytes(corpus.names.tolist()),
        }
        | {role: store.digest for role, store in stores.items()},
    )


def require_one_encoder(stores: Mapping[str, Features | StoredFeatures], sources: Sources) -> dict[str, Any]:
    """Refuse features of different encoders or widths; return the encoder as far as it concerns images.

    What only texts know (their length limit) is in the record of query features alone and is not compared.
    """
    image_side = stores["corpus"].provenance["options"].get("encoder", {}).keys()
    encoders = {}
    for role, store in stores.items():
        options = store.provenance["options"]
        known = {name: value for name, value in options.get("encoder", {}).items() if name in image_side}
        tuned = {"model": made} if (made := store.provenance["inputs"].get("model")) else {}
        encoders[_named(role, sources)] = {**options, "encoder": known, **tuned}
    require_same("encoder", encoders)
    require_same("width", {_named(role, sources): store.shape[1] for role, store in stores.items()})
    return encoders[_named("corpus", sources)]


def _named(role: str, sources: Sources) -> str:
    """Return a store's role and where it lies; of several shards the first."""
    path = sources.pictures[0] if role == "pictures" else getattr(sources, role)
    return f"features of {role} ({path})"


def _asked(sources: Sources, queries: Features) -> list[tuple[Dialogue, int]]:
    """Return the queries that there are features of, sorted by dialogue and round."""
    dialogues, known = read_dialogues(sources.dialogues), set(queries.keys)
    asked = [
        (dialogue, round_)
        for dialogue in sorted(dialogues, key=lambda dialogue: dialogue.dialogue_id)
        for round_ in range(len(dialogue.turns))
        if query_key(dialogue.dialogue_id, round_) in known
    ]
    without = {dialogue.dialogue_id for dialogue in dialogues} - {
        dialogue.dialogue_id for dialogue, _ in asked
    }
    if without:
        raise DaitirError(
            f"{sources.queries} lacks {len(without)} of {len(dialogues)} dialogues of {sources.dialogues},"
            f" the first is {min(without)!r}: remove it and run again"
        )
    strangers = known - {query_key(dialogue.dialogue_id, round_) for dialogue, round_ in asked}
    if strangers:
        raise DaitirError(
            f"{sources.queries} holds {len(strangers)} queries that {sources.dialogues} does not, the first"
            f" is {min(strangers)!r}: it belongs to another dialogue set; remove it and run again"
        )
    return asked


def _places(targets: list[str], names: np.ndarray, sources: Sources) -> np.ndarray:
    """Return where the targets stand among the names of the corpus, which are sorted."""
    wanted = np.array([target.encode() for target in targets])
    place_M = np.searchsorted(names, wanted).clip(max=len(names) - 1)
    outside = sorted({targets[row] for row in np.flatnonzero(names[place_M] != wanted)})
    if outside:
        raise DaitirError(
            f"{sources.dialogues}: {len(outside)} targets are not in {sources.corpus}, the first is"
            f" {outside[0]!r}: encode the corpus that the dialogues search"
        )
    return place_M.astype(np.int64)


def _images(asked: list[tuple[Dialogue, int]], pictures: Features, sources: Sources) -> np.ndarray:
    """Return the features of each query's images, M x K x D; K is the largest k that any query has."""
    known, count = set(pictures.keys), 0
    while any(picture_key(dialogue.dialogue_id, round_, count + 1) in known for dialogue, round_ in asked):
        count += 1
    ks = range(1, count + 1)
    keys = [picture_key(dialogue.dialogue_id, round_, k) for dialogue, round_ in asked for k in ks]
    strangers = known - set(keys)
    if strangers:
        raise DaitirError(
            f"features beside {sources.pictures[0]} hold {len(strangers)} images that belong to none of"
            f" {len(asked)} queries, the first is {min(strangers)!r}: remove them and run again"
        )
    source = f"features beside {sources.pictures[0]}"
    return pictures.rows(keys, source).reshape(len(asked), count, pictures.matrix.shape[1])
