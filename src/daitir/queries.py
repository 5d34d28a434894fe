"""Queries: what the reformulator made of each dialogue at each round."""

import re
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from daitir.errors import DaitirError
from daitir.files import canonical_json, digest_text
from daitir.tables import read_table, write_table

SHARD = re.compile(r"(\d+)-of-(\d+)")
SCHEMA = pa.schema(
    [
        ("dialogue_id", pa.string()),
        ("round", pa.int16()),
        ("query_text", pa.string()),
        ("prompts", pa.list_(pa.string())),
        ("answers", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class Query:
    """One round of a dialogue, rewritten.

    ``query_text`` is S_r, for the encoder; ``prompts`` are P_{r,k}, for the diffusion model; ``answers`` are
    what the model really answered, before it was checked and cleaned.
    """

    dialogue_id: str
    round: int
    query_text: str
    prompts: tuple[str, ...]
    answers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Name of the query in feature stores."""
        return query_key(self.dialogue_id, self.round)


def query_key(dialogue_id: str, round_: int) -> str:
    """Return the name of a query: dialogue and round."""
    return f"{dialogue_id}_r{round_}"


def picture_key(dialogue_id: str, round_: int, k: int) -> str:
    """Return the name of a generated image: dialogue, round and k (from 1)."""
    return f"{query_key(dialogue_id, round_)}_k{k}"


def picks_shard(dialogue_ids: list[str], shard: str) -> set[str]:
    """Return the ids of one shard, ``{s}-of-{n}``; ids are dealt in turn: sizes differ by one at most."""
    named = SHARD.fullmatch(shard)
    place, count = (int(part) for part in named.groups()) if named else (0, 0)
    if place >= count:
        raise DaitirError(f"there is no shard {shard!r}: write {{s}}-of-{{n}}, s from 0 and below n")
    return set(sorted(dialogue_ids)[place::count])


def rounds_of(dialogue_id: str, rounds: int, chosen: int | None) -> list[int]:
    """Return the rounds to work on: all, or ``chosen`` of them, drawn by the dialogue's name."""
    if chosen is None or chosen >= rounds:
        return list(range(rounds))
    drawn = sorted(range(rounds), key=lambda round_: digest_text("round", dialogue_id, str(round_)))
    return sorted(drawn[:chosen])


def write_queries(path: Path, queries: list[Query], record: dict[str, Any]) -> None:
    """Write queries as Parquet, sorted by dialogue and round."""
    rows = [
        {
            "dialogue_id": query.dialogue_id,
            "round": query.round,
            "query_text": query.query_text,
            "prompts": list(query.prompts),
            "answers": list(query.answers),
        }
        for query in sorted(queries, key=lambda query: (query.dialogue_id, query.round))
    ]
    write_table(path, pa.Table.from_pylist(rows, SCHEMA), record)


def read_queries(*paths: Path) -> list[Query]:
    """Read the queries of shards, sorted by dialogue and round; a query in two shards is refused."""
    queries = [
        Query(
            row["dialogue_id"], row["round"], row["query_text"], tuple(row["prompts"]), tuple(row["answers"])
        )
        for path in paths
        for row in read_table(path, SCHEMA).to_pylist()
    ]
    queries.sort(key=lambda query: (query.dialogue_id, query.round))
    for one, next_ in pairwise(queries):
        if one.key == next_.key:
            raise DaitirError(
                f"query {one.key} stands in two shards of {paths[0].parent}: remove them and run again"
            )
    return queries


def digest_queries(queries: list[Query]) -> str:
    """Digest of queries in their order; how they were split over shards does not count."""
    return digest_text(*(canonical_json(asdict(query)) for query in queries))
