"""What follows the ranks, at the size of four benchmarks: ``python -m bench.evaluation FOLDER`` times it.

Synthetic ranks of 2,064 dialogues x 11 rounds x 8 systems (one of three seeds) x 4 dialogue sets are written
below FOLDER, then the stages that read ranks alone run on them, one after the other, each on one thread:
measures and tests, TREC runs, the analyses of each set, figures. What ranks anew is in `bench.analyses`.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from daitir.analyses.options import FROM_RANKS
from daitir.dialogues import Dialogue, write_dialogues
from daitir.features import write_features
from daitir.layout import Layout
from daitir.queries import Query, query_key, write_queries
from daitir.ranks import TOP, write_ranks

DIALOGUES, ROUNDS, CANDIDATES = 2064, 11, 50_000
SETS = [f"set-{number}" for number in range(4)]
SYSTEMS = [f"system-{number}" for number in range(8)]
SEEDS = {name: 3 if name == SYSTEMS[-1] else 1 for name in SYSTEMS}


def ranks_frame(
    rng: np.random.Generator, start_D1: np.ndarray, target_D: np.ndarray, seed: int
) -> pd.DataFrame:
    """Ranks that fall by round from where each dialogue starts, the target among the best."""
    falling_DR = start_D1 - 0.15 * np.arange(ROUNDS) + rng.normal(size=(DIALOGUES, ROUNDS))
    rank_M = np.exp(3 + falling_DR).clip(1, CANDIDATES).astype(int).ravel()
    target_M = np.repeat(target_D, ROUNDS)
    top_MT = rng.integers(0, CANDIDATES, (len(rank_M), TOP))
    found = rank_M <= TOP
    top_MT[found, rank_M[found] - 1] = target_M[found]
    names = np.array([f"unlabeled2017/{number:012d}.jpg" for number in range(CANDIDATES)], dtype=object)
    return pd.DataFrame(
        {
            "dialogue_id": np.repeat([f"{number:05d}" for number in range(DIALOGUES)], ROUNDS),
            "round": np.tile(np.arange(ROUNDS), DIALOGUES),
            "seed": seed,
            "target": names[target_M],
            "rank": rank_M,
            "ties": 0,
            "target_score": 0.5,
            "top_keys": list(names[top_MT]),
            "top_scores": list(np.full(top_MT.shape, 0.5, dtype=np.float32)),
            "gate": rng.random(len(rank_M)),
            "router": None,
            "similarity": rng.random(len(rank_M)),
        }
    )


def write_all(layout: Layout) -> None:
    """Write all ranks tables."""
    rng = np.random.default_rng(0)
    for dialogues in SETS:
        start_D1 = 2 * rng.normal(size=(DIALOGUES, 1))
        target_D = rng.integers(0, CANDIDATES, DIALOGUES)
        for place, system in enumerate(SYSTEMS):
            frames = [
                ranks_frame(rng, start_D1 - 0.05 * place, target_D, seed) for seed in range(SEEDS[system])
            ]
            write_ranks(Path(layout.ranks(system, dialogues)), pd.concat(frames), {"options": {}})


def write_beside(layout: Layout) -> dict[str, str | list[str] | dict[str, list[str]]]:
    """Write what the analyses read beside ranks, the same for all dialogue sets; return it by its role."""
    rng = np.random.default_rng(1)
    dialogues, queries = layout.dialogues("all"), layout.queries("llm", "all", "0-of-1")
    features, spent = layout.query_features("blip", "llm", "all"), layout.benchmark("spent")
    names = [f"{number:05d}" for number in range(DIALOGUES)]
    turns = [[" ".join(["word"] * rng.integers(3, 15)) for _ in range(ROUNDS)] for _ in names]
    talks = [Dialogue(name, "target", tuple(said)) for name, said in zip(names, turns, strict=True)]
    write_dialogues(dialogues, talks, {})
    asked = [(name, round_) for name in names for round_ in range(ROUNDS)]
    write_queries(
        queries, [Query(*one, "a query text of ten words or so", ("a prompt",)) for one in asked], {}
    )
    keys = [query_key(*one) for one in asked]
    write_features(features, keys, np.full((len(keys), 4), 0.5), {"options": {}}, rng.random(len(keys)) < 0.1)
    Path(spent).parent.mkdir(parents=True, exist_ok=True)
    Path(spent).write_text("s\n3.0\n")
    return {"dialogues": dialogues, "queries": features, "texts": [queries], "seconds": {"rank": [spent]}}


def timed(name: str, stage: str, options: dict[str, Any], *words: str) -> None:
    """Run a stage in a process of its own on one thread, and print its seconds and its most memory."""
    said = ["--options", json.dumps({"code": "bench", **options}), *words]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    call = [sys.executable, "-m", f"daitir.stages.{stage}", *said]
    start = time.perf_counter()
    child = os.spawnve(os.P_NOWAIT, sys.executable, call, os.environ | one_thread)
    _, status, spent = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{name} failed")
    work, peak = spent.ru_utime + spent.ru_stime, spent.ru_maxrss / 2**20
    print(f"{name:18} {seconds:6.1f} s   {work:6.1f} s of a core   {peak:4.2f} GiB", flush=True)


def main() -> None:
    """Write the ranks and time the stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="an empty folder; 2 GB are written")
    layout = Layout(parser.parse_args().folder)
    write_all(layout)
    beside = write_beside(layout)
    start, place = time.perf_counter(), ["--results", layout.results]
    systems = {name: {"baseline": SYSTEMS[0] if name != SYSTEMS[0] else None} for name in SYSTEMS}
    shown: dict[str, Any] = {"order": SYSTEMS, "rounds": [0, 5, 10]}
    measured: dict[str, Any] = {"order": SYSTEMS, "hits": [1, 5, 10, 50], "resamples": 2000, "seed": 0}
    timed("measure, test", "measure", {"evaluate": SETS, "systems": systems} | shown | measured, *place)
    timed("TREC runs", "write_runs", {"systems": dict.fromkeys(SETS, SYSTEMS)}, *place)
    materials = {"encoder": "blip", "queries": "llm"}
    asked = {"analyses": FROM_RANKS, "analysis_code": {}, **measured}
    asked["systems"] = {name: materials | one for name, one in systems.items()}
    for dialogues in SETS:
        sources = {name: beside | {"ranks": layout.ranks(name, dialogues)} for name in SYSTEMS}
        tables = [layout.analysis(analysis, dialogues) for analysis in FROM_RANKS]
        words = ["--sources", json.dumps(sources), "--output", *tables]
        timed(f"analyses of {dialogues}", "analyse", {"dialogues": dialogues} | asked, *words)
    drawn = {"analysis_code": {}, "analyses": FROM_RANKS, "evaluate": SETS, "k": 10}
    timed("tables, figures", "draw_analyses", drawn | shown, *place)
    print(f"{'together':18} {time.perf_counter() - start:6.1f} s")


if __name__ == "__main__":
    main()
