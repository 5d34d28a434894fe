"""Gains and losses: the queries that a system moves furthest against its baseline, with their texts."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from daitir.analyses.changes import changes
from daitir.analyses.subject import Subject, require_all
from daitir.evaluation.rankings import Ranking
from daitir.queries import Query, read_queries


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system with a baseline, round, dialogue): the largest gains and losses by ln(rank / baseline's).

    On the logarithmic scale 100 -> 10 counts as much as 10 -> 1, and more than 10,000 -> 9,000. Queries that
    do not change are not listed.
    """
    for ranking, other in subject.pairs():
        lost_DR, log_DR = changes(ranking, other)
        texts = _texts(subject, ranking)
        for place, round_ in enumerate(ranking.rounds):
            for row in furthest(log_DR[:, place], subject.examples):
                name = ranking.dialogue_ids[row]
                yield {
                    "dialogues": subject.dialogues,
                    "system": ranking.system,
                    "baseline": other.system,
                    "round": round_,
                    "dialogue_id": name,
                    "change": "gain" if log_DR[row, place] < 0 else "loss",
                    "rank": ranking.ranks[:, row, place].mean(),
                    "baseline_rank": other.ranks[:, row, place].mean(),
                    "ranks_lost": lost_DR[row, place],
                    "log_ratio": log_DR[row, place],
                    "query_text": texts[name, round_].query_text,
                }


def furthest(log_D: np.ndarray, count: int) -> list[int]:
    """Places of the ``count`` largest gains, largest first, then of the ``count`` largest losses."""
    order = np.argsort(log_D, kind="stable")
    gained = [int(row) for row in order[:count] if log_D[row] < 0]
    lost = [int(row) for row in np.argsort(-log_D, kind="stable")[:count] if log_D[row] > 0]
    return gained + lost


def _texts(subject: Subject, ranking: Ranking) -> dict[tuple[str, int], Query]:
    shards = subject.sources[ranking.system].texts
    found = {(query.dialogue_id, query.round): query for query in read_queries(*shards)}
    require_all(
        product(ranking.dialogue_ids, ranking.rounds), found, f"queries beside {shards[0]} lack", "queries"
    )
    return found
