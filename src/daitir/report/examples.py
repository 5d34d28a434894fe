"""The dialogues that the page shows: chosen by rule, not by taste, and gathered with their pictures."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from daitir.dialogues import Dialogue
from daitir.queries import Query

KINDS = ("gained most", "lost most", "typical")


@dataclass(frozen=True)
class Choice:
    """A dialogue to be shown, why, and the round at which it is told best."""

    dialogue_id: str
    why: str
    round: int


@dataclass(frozen=True)
class Candidate:
    """One candidate of a top list."""

    key: str
    uri: str
    score: float
    is_target: bool


@dataclass(frozen=True)
class Ranked:
    """What one system made of one query: the rank of the target, and its first candidates."""

    system: str
    rank: int
    top: list[Candidate]


@dataclass(frozen=True)
class Drawn:
    """A generated image with its prompt, or its file if others drew it; whether the fusion looks at it."""

    caption: str
    uri: str
    is_published: bool
    is_seen: bool


@dataclass(frozen=True)
class Moment:
    """One round of a shown dialogue."""

    round: int
    turns: list[tuple[str, bool]]
    query_text: str
    drawn: list[Drawn]
    ranked: list[Ranked]


@dataclass(frozen=True)
class Example:
    """A shown dialogue: ranks of the two systems over the rounds, and some of its rounds in full."""

    dialogue_id: str
    why: str
    target_key: str
    target_uri: str
    rounds: list[int]
    ranks: dict[str, list[int]]
    first_shown: int
    moments: list[Moment]


def log_gain(system: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Return ln(baseline's rank / system's rank), a row a dialogue, a column a round; above 0 is better."""
    system_rank, baseline_rank = (
        frame.pivot(index="dialogue_id", columns="round", values="rank").sort_index()
        for frame in (system, baseline)
    )
    return (baseline_rank / system_rank).map(math.log)


def choose(gain: pd.DataFrame, count: int) -> list[Choice]:
    """Choose dialogues in turn: gained most, lost most, typical, gained second most, and so on.

    A dialogue counts by its mean log gain over rounds, and typical is what lies nearest to the median; equals
    are ordered by id. Gains and losses are told at the round of the largest one, the typical in the middle.
    """
    mean = gain.mean(axis=1)
    orders: list[tuple[str, list[str]]] = [
        ("gained most", _ordered(-mean)),
        ("lost most", _ordered(mean)),
        ("typical", _ordered((mean - mean.median()).abs())),
    ]
    chosen: dict[str, Choice] = {}
    while len(chosen) < min(count, len(mean)):
        why, order = orders[len(chosen) % len(orders)]
        dialogue_id = next(name for name in order if name not in chosen)
        chosen[dialogue_id] = Choice(
            dialogue_id, why, _told_best(gain.loc[[dialogue_id]].to_dict("records")[0], why)
        )
    return sorted(chosen.values(), key=lambda choice: KINDS.index(choice.why))


def _ordered(badness: pd.Series) -> list[str]:
    return [str(name) for name in badness.round(9).sort_values(kind="stable").index]


def _told_best(gains: Mapping[Any, float], why: str) -> int:
    rounds = list(gains)
    if why == "typical":
        return int(rounds[len(rounds) // 2])
    return int((max if why == "gained most" else min)(rounds, key=lambda round_: gains[round_]))


def moment(
    dialogue: Dialogue,
    query: Query,
    drawn: list[Drawn],
    rows: Mapping[str, Mapping[Any, Any]],
    candidate_uri: Callable[[str], str],
) -> Moment:
    """Put one round of a dialogue together; ``rows`` holds each system's row of its ranks table."""
    ranked = [
        Ranked(
            system,
            int(row["rank"]),
            [
                Candidate(key, candidate_uri(key), float(score), key == dialogue.target)
                for key, score in zip(row["top_keys"], row["top_scores"], strict=True)
            ],
        )
        for system, row in rows.items()
    ]
    turns = [(turn, place <= query.round) for place, turn in enumerate(dialogue.turns)]
    return Moment(query.round, turns, query.query_text, drawn, ranked)
