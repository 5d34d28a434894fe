"""The oracle: of several systems the one that ranks a query's target best, chosen by the target itself."""

import pandas as pd

from daitir.errors import DaitirError

QUERY = ["seed", "dialogue_id", "round"]


def best_of(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return for each query the whole row of the system with the lowest rank, the first of equals.

    ``frames`` are ranks tables by system, over the same dialogues, rounds and targets. A system with one seed
    meets every seed of the others; systems of several seeds must have the same ones.
    """
    seeds = _common_seeds(frames)
    asked = None
    parts = []
    for system, frame in frames.items():
        rows = frame if frame["seed"].nunique() > 1 else _for_seeds(frame, seeds)
        rows = rows.sort_values(QUERY).reset_index(drop=True)
        queries = rows[[*QUERY, "target"]]
        if asked is not None and not queries.equals(asked):
            raise DaitirError(
                f"ranks of {system!r} are not of the queries that {next(iter(frames))!r} ranked:"
                " remove the older of the two and run again"
            )
        asked = queries
        parts.append(rows)
    together = pd.concat(parts)
    return together.sort_values([*QUERY, "rank"], kind="stable").drop_duplicates(QUERY).reset_index(drop=True)


def _common_seeds(frames: dict[str, pd.DataFrame]) -> list[int]:
    """Return the seeds that the result has."""
    found = {system: sorted(frame["seed"].unique().tolist()) for system, frame in frames.items()}
    several = {system: seeds for system, seeds in found.items() if len(seeds) > 1}
    for system, seeds in several.items():
        first = next(iter(several))
        if seeds != several[first]:
            raise DaitirError(
                f"{system!r} was trained with seeds {seeds}, {first!r} with {several[first]}: the better of"
                " the two needs the same"
            )
    return next(iter((several or found).values()))


def _for_seeds(frame: pd.DataFrame, seeds: list[int]) -> pd.DataFrame:
    return pd.concat([frame.assign(seed=seed) for seed in seeds]).astype({"seed": frame["seed"].dtype})
