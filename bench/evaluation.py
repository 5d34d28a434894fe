"""Measures of four benchmarks of full size: ``python -m bench.evaluation FOLDER`` prints what they took.

Synthetic ranks of 2,064 dialogues x 11 rounds x 8 systems (one of three seeds) x 4 dialogue sets are written
below FOLDER, then the stages that read ranks alone run on them, one after the other.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from daitir.layout import Layout
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


def timed(stage: str, options: dict[str, Any], results: str) -> None:
    """Run a stage in a process of its own and print its seconds and the most memory of any so far."""
    words = ["--options", json.dumps({"code": "bench", **options}), "--results", results]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", f"daitir.stages.{stage}", *words], check=True)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{stage:10} {seconds:6.1f} s   {peak:4.2f} GiB", flush=True)


def main() -> None:
    """Write the ranks and time the stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="an empty folder; 2 GB are written")
    layout = Layout(parser.parse_args().folder)
    write_all(layout)
    systems = {name: {"baseline": SYSTEMS[0] if name != SYSTEMS[0] else None} for name in SYSTEMS}
    measured = {"hits": [1, 5, 10, 50], "rounds": [0, 5, 10], "resamples": 2000, "seed": 0}
    timed("measure", {"evaluate": SETS, "systems": systems, "order": SYSTEMS} | measured, layout.results)
    timed("write_runs", {"systems": dict.fromkeys(SETS, SYSTEMS)}, layout.results)


if __name__ == "__main__":
    main()
