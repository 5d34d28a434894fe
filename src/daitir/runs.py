"""TREC runs and judgements: what trec_eval, ir_measures, ranx and their like read.

A run has a line ``query Q0 document place score system`` for each candidate. Every reader counts places
anew, from the scores (trec_eval breaks ties by the name of the document, backwards). So the score of a line
is minus its place, which is exact in any float and has no ties: the cosines stay in the ranks table.

Of a ranks table the ten best candidates and the place of the target are known. Candidates between them, of
which nothing is known but that they are there, are written as ``?11``, ``?12``, …: without them a reader
would find the target of rank 500 at place 11. A target below ``depth`` is left out with them, as the runs of
TREC end at 1,000: a measure that looks no deeper is exact, the mean of 1 / rank too small by less than
1 / depth.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote

import pandas as pd

from daitir.errors import DaitirError

BLANK = re.compile(r"[\s%]")
FILLER = "?"


def token(name: str) -> str:
    """Return a name without blanks, which would end a column: they and ``%`` are percent-encoded."""
    return BLANK.sub(lambda found: quote(found[0], safe=""), name)


def judgements(targets: dict[str, str]) -> str:
    """Return the qrels of a dialogue set: its target is relevant to each dialogue, nothing else is judged."""
    return "".join(f"{token(query)} 0 {token(target)} 1\n" for query, target in sorted(targets.items()))


def run_text(frame: pd.DataFrame, system: str, depth: int | None) -> str:
    """Return the run of one round and seed of a ranks table, dialogues sorted by id.

    ``depth`` None writes every list down to its target.
    """
    longest = int(frame["rank"].max()) if depth is None else depth
    tag = token(system)
    unknown = [f"Q0 {FILLER}{place} {place} -{place} {tag}" for place in range(1, longest + 1)]
    ordered = frame.sort_values("dialogue_id")
    rows = zip(*(ordered[name] for name in ("dialogue_id", "target", "rank", "top_keys")), strict=True)
    return "".join(_list(name, target, rank, top, unknown, tag) for name, target, rank, top in rows)


def _list(
    dialogue_id: str, target: str, rank: int, top_keys: Sequence[str], unknown: Sequence[str], tag: str
) -> str:
    """Return the lines of one query; ``unknown`` are the lines of candidates that nothing is known of."""
    before, after = around_target(target, rank, top_keys)
    lines = [_line(place, key, tag) for place, key in enumerate(before, start=1)]
    if rank <= len(unknown):
        lines += unknown[len(before) : rank - 1]
        lines += [_line(place, key, tag) for place, key in enumerate([target, *after], start=rank)]
    query = token(dialogue_id)
    return "".join(f"{query} {line}\n" for line in lines)


def _line(place: int, key: str, tag: str) -> str:
    if key.startswith(FILLER):
        raise DaitirError(f"candidate {key!r} begins with {FILLER!r}, as unknown ones do in a run: rename it")
    return f"Q0 {token(key)} {place} -{place} {tag}"


def around_target(target: str, rank: int, top_keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the best candidates before the target and those behind it, best first.

    Ties count against the target, so it may stand further back than among the best of the table, which are
    in the order of their names where they tie.
    """
    others = [key for key in top_keys if key != target]
    return others[: rank - 1], others[rank - 1 : len(top_keys) - 1]
