"""Features taken over from another dialogue set, where a text or picture of the same key is the same.

A feature depends on its own text or picture alone, so what is taken over has the bytes of encoding it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from daitir.errors import DaitirError
from daitir.features import Features, features_provenance, read_features
from daitir.provenance import made_by_these_versions, require_same
from daitir.queries import Query, digest_queries, read_queries
from daitir.shards import Picture, read_shard

Content = TypeVar("Content", str, bytes)


class Known(NamedTuple, Generic[Content]):
    """Rows by their text, or by the bytes of their picture; ``facts`` of the encoder that made them.

    ``truncated`` has the texts among them that were cut.
    """

    rows: dict[Content, np.ndarray]
    facts: dict[str, Any] | None = None
    truncated: frozenset[Content] = frozenset()


def known_texts(
    asked: list[Query], queries: Sequence[Path], features: Sequence[Path], record: dict[str, Any]
) -> Known[str]:
    """Return what of the queries ``asked`` others have; ``queries`` are all those that ``features`` are of.

    Features of another making than ``record``, or of other queries, are refused; those of other library
    versions are left alone.
    """
    theirs, store = read_queries(*queries), _features_of(features, record)
    if store is None:
        return Known({})
    if store.provenance["inputs"].get("queries") != digest_queries(theirs) or store.truncated is None:
        raise DaitirError(
            f"{features[0]} does not hold the features of {queries[0]}: remove it and run again"
        )
    wanted = {query.key: query.query_text for query in asked}
    same = {query.query_text: query.key for query in theirs if wanted.get(query.key) == query.query_text}
    cut = {key for key, truncated in zip(store.keys, store.truncated, strict=True) if truncated}
    return Known(
        _rows(same, store),
        store.provenance["facts"],
        frozenset(text for text, key in same.items() if key in cut),
    )


def known_pictures(
    pictures: Sequence[Picture], shards: Sequence[Path], features: Sequence[Path], record: dict[str, Any]
) -> Known[bytes]:
    """Return what of ``pictures`` others have: of ``shards`` only pictures of the same keys are read.

    Features of another making than ``record`` are refused; those of other library versions are left alone.
    """
    store = _features_of(features, record)
    if store is None:
        return Known({})
    there = set(store.keys)
    wanted = {picture.key: picture.data for picture in pictures if picture.key in there}
    theirs = (picture for shard in shards for picture in read_shard(shard, wanted.keys()))
    same = {picture.data: picture.key for picture in theirs if wanted[picture.key] == picture.data}
    return Known(_rows(same, store), store.provenance["facts"])


def _features_of(paths: Sequence[Path], record: dict[str, Any]) -> Features | None:
    made = {path: features_provenance(path) for path in paths}
    options = {str(path): found["options"] for path, found in made.items()}
    require_same("making of features", options | {"what is encoded now": record})
    taken = [path for path in paths if made_by_these_versions(path, made[path])]
    return read_features(*taken) if taken else None


def _rows(keys: dict[Content, str], store: Features) -> dict[Content, np.ndarray]:
    return dict(zip(keys, store.rows(list(keys.values())), strict=True))
