"""Features taken over from another dialogue set, where a text or picture of the same key is the same.

A feature depends on its own text or picture alone, so what is taken over has the bytes of encoding it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from daitir.errors import DaitirError
from daitir.features import Features, read_features
from daitir.provenance import require_same
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

    Features of another making than ``record``, or of other queries, are refused.
    """
    if not features:
        return Known({})
    theirs, store = read_queries(*queries), _features_of(features, record)
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

    Features of another making than ``record`` are refused.
    """
    if not features:
        return Known({})
    store, wanted = _features_of(features, record), {picture.key: picture.data for picture in pictures}
    theirs = (picture for shard in shards for picture in read_shard(shard, wanted.keys()))
    same = {picture.data: picture.key for picture in theirs if wanted[picture.key] == picture.data}
    return Known(_rows(same, store), store.provenance["facts"])


def _features_of(paths: Sequence[Path], record: dict[str, Any]) -> Features:
    store = read_features(*paths)
    require_same(
        "making of features", {str(paths[0]): store.provenance["options"], "what is encoded now": record}
    )
    return store


def _rows(keys: dict[Content, str], store: Features) -> dict[Content, np.ndarray]:
    return dict(zip(keys, store.rows(list(keys.values())), strict=True))
