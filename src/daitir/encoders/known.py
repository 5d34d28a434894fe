"""Features taken over from another dialogue set, where a text or picture of the same key is the same.

A feature depends on its own text or picture alone, so what is taken over has the bytes of encoding it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from daitir.errors import DaitirError
from daitir.features import Features, features_provenance, read_features
from daitir.provenance import made_by_these_versions, require_same
from daitir.queries import Query, digest_queries, read_queries
from daitir.shards import ShardPictures


class Known(NamedTuple):
    """Rows by their text, or by the digest of their picture; ``facts`` of the encoder that made them.

    ``truncated`` has the texts among them that were cut.
    """

    rows: dict[str, np.ndarray]
    facts: dict[str, Any] | None = None
    truncated: frozenset[str] = frozenset()


def known_texts(
    asked: list[Query], queries: Sequence[Path], features: Sequence[Path], record: dict[str, Any]
) -> Known:
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
    pictures: Mapping[str, str], shards: Sequence[Path], features: Sequence[Path], record: dict[str, Any]
) -> Known:
    """Return what others have of ``pictures``, the digests of whose bytes stand under their keys.

    ``shards`` are all those that ``features`` are of; only their pictures' records are read. Features of
    another making than ``record`` are refused; those of other library versions are left alone.
    """
    store = _features_of(features, record)
    if store is None:
        return Known({})
    there, theirs = set(store.keys), ShardPictures(shards).digests
    same = {digest: key for key, digest in theirs.items() if key in there and pictures.get(key) == digest}
    return Known(_rows(same, store), store.provenance["facts"])


def _features_of(paths: Sequence[Path], record: dict[str, Any]) -> Features | None:
    made = {path: features_provenance(path) for path in paths}
    options = {str(path): found["options"] for path, found in made.items()}
    require_same("making of features", options | {"what is encoded now": record})
    taken = [path for path in paths if made_by_these_versions(path, made[path])]
    return read_features(*taken) if taken else None


def _rows(keys: dict[str, str], store: Features) -> dict[str, np.ndarray]:
    return dict(zip(keys, store.rows(list(keys.values())), strict=True))
