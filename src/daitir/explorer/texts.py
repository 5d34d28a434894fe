"""Query texts and prompts, a file for some dialogues at a time: the page loads what it shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daitir.errors import DaitirError
from daitir.explorer.rankings import Keys
from daitir.queries import query_key, read_queries

CHUNK = 128


def chunks_of_texts(shards: list[Path], ids: list[str], rounds: list[int]) -> Iterator[dict[str, Any]]:
    """Yield the texts of ``CHUNK`` dialogues each: ``strings``, and which of them stands where.

    ``query`` holds a number a dialogue and round, ``prompts`` as many as there are; equal texts, such as the
    prompts of a reformulator that writes one, are stored once.
    """
    by_key = {query.key: query for query in read_queries(*shards)}
    for begin in range(0, len(ids), CHUNK):
        strings, query, prompts = Keys(), [], []
        for dialogue_id in ids[begin : begin + CHUNK]:
            found = [by_key.get(query_key(dialogue_id, round_)) for round_ in rounds]
            if None in found:
                missing = query_key(dialogue_id, rounds[found.index(None)])
                raise DaitirError(f"{shards[0].parent} lacks query {missing}: remove it and run again")
            texts = [one for one in found if one is not None]
            query.append([strings.number(one.query_text) for one in texts])
            prompts.append([[strings.number(prompt) for prompt in one.prompts] for one in texts])
        yield {"strings": strings.names, "query": query, "prompts": prompts}
