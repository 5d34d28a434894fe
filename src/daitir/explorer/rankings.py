"""Ranks tables as arrays: the same dialogues and rounds in the same places for every system and seed.

Shape suffixes: D dialogues, R rounds, T places of the top list.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from daitir.errors import DaitirError
from daitir.ranks import SCHEMA
from daitir.tables import read_table


class Keys:
    """Names of candidates, each once, by a number: the order in which they were first asked for."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, key: str) -> int:
        """Return the number of a key."""
        return self.numbers.setdefault(key, len(self.numbers))

    @property
    def names(self) -> list[str]:
        """All keys, by their numbers."""
        return list(self.numbers)


@dataclass(frozen=True)
class Ranking:
    """What one system ranked with one seed.

    ``top_DRT`` holds numbers of keys, -1 where a list is shorter, ``score_DRT`` their scores. ``gate_DR`` and
    ``similarity_DR`` are NaN where the ranks table has none.
    """

    seed: int
    rank_DR: np.ndarray
    ties_DR: np.ndarray
    target_score_DR: np.ndarray
    top_DRT: np.ndarray
    score_DRT: np.ndarray
    gate_DR: np.ndarray
    similarity_DR: np.ndarray


def read_rankings(path: Path, ids: list[str], keys: Keys) -> tuple[list[int], list[Ranking]]:
    """Return the rounds of a ranks table and what each seed ranked, by seed; new keys get numbers.

    A table that lacks a round of one of the dialogues, or has another dialogue, is refused.
    """
    table = read_table(path, SCHEMA).combine_chunks()
    place = pd.Index(ids).get_indexer(table["dialogue_id"].to_pandas())
    round_, seed = (table[name].to_numpy() for name in ("round", "seed"))
    rounds, seeds = np.unique(round_), np.unique(seed)
    order = np.lexsort((round_, place, seed))
    shape = (len(seeds), len(ids), len(rounds))
    expected = np.stack(np.meshgrid(seeds, np.arange(len(ids)), rounds, indexing="ij")).reshape(3, -1)
    if not np.array_equal(np.stack([seed, place, round_])[:, order], expected):
        raise DaitirError(
            f"{path} does not hold each round of all {len(ids)} dialogues once: remove it and run again"
        )
    top, score = _top_lists(table, keys)
    single = ("rank", "ties", "target_score", "gate", "similarity")
    columns = {name: table[name].to_numpy()[order].reshape(shape) for name in single}
    top, score = (flat[order].reshape(*shape, -1) for flat in (top, score))
    parts = [columns[name] for name in ("rank", "ties", "target_score")]
    parts += [top, score, columns["gate"], columns["similarity"]]
    return rounds.tolist(), [
        Ranking(int(one), *(part[number] for part in parts)) for number, one in enumerate(seeds)
    ]


def _top_lists(table: pa.Table, keys: Keys) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers and scores of the first candidates, a row a row of the table."""
    lists, scores = (table[name].chunk(0) for name in ("top_keys", "top_scores"))
    lengths = np.diff(lists.offsets.to_numpy())
    row = np.repeat(np.arange(len(lists)), lengths)
    column = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    flat = lists.flatten().dictionary_encode()
    numbers = np.array([keys.number(key) for key in flat.dictionary.to_pylist()], np.int64)
    shape = (len(lists), lengths.max(initial=1))
    top, score = np.full(shape, -1, np.int64), np.full(shape, np.nan, np.float32)
    top[row, column] = numbers[flat.indices.to_numpy()]
    score[row, column] = scores.flatten().to_numpy(zero_copy_only=False)
    return top, score
