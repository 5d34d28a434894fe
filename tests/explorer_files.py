"""Results folders for the explorer: the small one with known ranks, and one as large as is asked for."""

import base64
import json
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from daitir.dialogues import Dialogue, write_dialogues
from daitir.fusions.oracle import best_of
from daitir.layout import Layout, shard_names
from daitir.queries import Query, picks_shard, write_queries
from daitir.ranks import read_ranks, write_ranks
from daitir.stages import explore
from tests.synthetic import IDS, SET, made, make_results

__all__ = ["IDS", "NASTY", "SET", "explore_options", "make_explorer", "make_large", "numbers", "unpack"]
NASTY = "<script>alert('x')</script> & <img src=x onerror=alert(1)> \"quotes\"? yes"


def unpack(text: str) -> bytes:
    """Return what was packed."""
    return zlib.decompress(base64.b64decode(text))


def numbers(packed: dict[str, str]) -> list[int]:
    """Return packed numbers."""
    return np.frombuffer(unpack(packed["data"]), packed["type"]).tolist()


def explore_options(config, thumbnails: int = 4, size: int = 96, **changed):
    """Options as the workflow writes them."""
    report = {"explorer": {"thumbnails": thumbnails, "size": size}}
    options = {
        "code": "x",
        "config": config | {"report": report},
        "order": [*config["systems"], *config.get("oracles", {})],
    }
    return explore.ExploreOptions.parse(options | changed, "test")


def make_explorer(folder: Path, **settings):
    """Write the small results folder, an oracle and the explorer; return the config."""
    config = make_results(folder, turn=NASTY)
    config |= {
        "generators": {"sd3": {"images": 2, "model": "models/sd3"}},
        "oracles": {"oracle": {"of": ["text", "dar"], "baseline": "text"}},
    }
    layout = Layout(str(folder / "results"))
    frames = {name: read_ranks(Path(layout.ranks(name, SET))) for name in ("text", "dar")}
    record = made("rank", fusion={"kind": "oracle", "of": ["text", "dar"]})
    write_ranks(Path(layout.ranks("oracle", SET)), best_of(frames), record)
    explore.run(explore_options(config, **settings), folder / "results", Path(layout.explorer))
    return config


def make_large(folder: Path, dialogues: int, candidates: int, systems: int, sets: int, rounds: int = 11):
    """Write ranks, dialogues and queries of some sets of a benchmark's size; return the config."""
    random = np.random.default_rng(0)
    layout = Layout(str(folder / "results"))
    keys = np.array([f"unlabeled2017/{number:012d}.jpg" for number in range(candidates)])
    (folder / "corpus.json").write_text(json.dumps(keys.tolist()))
    names = [f"set-{number}" for number in range(sets)]
    ids = [f"{number:06d}" for number in range(dialogues)]
    for name in names:
        words = [f"word{number}" for number in range(2000)]
        turns = [tuple(" ".join(random.choice(words, 9)) for _ in range(rounds)) for _ in range(dialogues)]
        targets = random.choice(candidates, dialogues, replace=False)
        spoken = [
            Dialogue(one, keys[target], said) for one, target, said in zip(ids, targets, turns, strict=True)
        ]
        write_dialogues(layout.dialogues(name), spoken, made("import_dialogues"))
        for shard in shard_names(1):
            own = picks_shard(ids, shard)
            texts = [
                Query(d.dialogue_id, r, ", ".join(d.turns[: r + 1]), tuple(d.turns[: r + 1][-3:]))
                for d in spoken
                if d.dialogue_id in own
                for r in range(rounds)
            ]
            write_queries(layout.queries("llm", name, shard), texts, made("reformulate"))
        for number in range(systems):
            frame = large_frame(random, ids, keys, targets, rounds)
            write_ranks(layout.ranks(f"system-{number}", name), frame, made("rank", fusion={}))
    system = {"encoder": "blip", "queries": "llm", "method": "text"}
    return {
        "corpora": {"large": {"list": str(folder / "corpus.json"), "images": str(folder)}},
        "dialogues": {name: {"corpus": "large"} for name in names},
        "systems": {
            f"system-{number}": system | ({"baseline": "system-0"} if number else {})
            for number in range(systems)
        },
        "evaluate": names,
    }


def large_frame(random, ids, keys, targets, rounds: int) -> pd.DataFrame:
    """A ranks table with log-uniform ranks."""
    count = len(ids) * rounds
    top = random.integers(0, len(keys), (count, 10))
    scores = np.sort(random.uniform(0.2, 0.6, (count, 10)).astype(np.float32))[:, ::-1]
    return pd.DataFrame(
        {
            "dialogue_id": np.repeat(ids, rounds),
            "round": np.tile(np.arange(rounds), len(ids)),
            "seed": 0,
            "target": np.repeat(keys[targets], rounds),
            "rank": np.exp(random.uniform(0, np.log(len(keys)), count)).astype(int),
            "ties": 0,
            "target_score": random.uniform(0, 0.6, count),
            "top_keys": list(keys[top]),
            "top_scores": list(scores),
            "gate": random.uniform(0, 1, count),
            "router": None,
            "similarity": random.uniform(0, 1, count),
        }
    )
