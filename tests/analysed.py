"""A small results folder for what comes after the ranks: the systems text and dar, and ranks with a gate."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from daitir.analyses.options import READS, Analysis
from daitir.features import read_features, write_features
from daitir.fusions.options import DarOptions, TextOptions
from daitir.layout import Layout
from daitir.queries import Query, write_queries
from daitir.ranking import RankOptions
from daitir.ranks import read_ranks, write_ranks
from daitir.samples import Sources
from daitir.stages.rank import run as rank
from tests.sample_files import World, write_world

SET = "few"
FUSIONS = {"text": TextOptions(), "dar": DarOptions()}
SYSTEMS = {
    "text": {"encoder": "blip", "queries": "llm", "fusion": {"kind": "text"}},
    "dar": {
        "encoder": "blip",
        "queries": "llm",
        "images": "sd3",
        "baseline": "text",
        "fusion": {"kind": "dar"},
    },
    "gated": {"encoder": "blip", "queries": "llm", "images": "sd3", "baseline": "text"},
}
MEASURED = {
    "evaluate": [SET],
    "order": list(SYSTEMS),
    "hits": [1, 10],
    "rounds": [0],
    "resamples": 100,
    "seed": 0,
}


def write_analysed(folder: Path) -> dict[str, dict[str, object]]:
    """Write features and ranks below ``folder`` and return the sources of each system, by role."""
    layout = Layout(str(folder / "results"))
    sources = write_world(folder, World(dialogues=30, images=2, noise=1.5))
    store = read_features(sources.queries)
    cut = np.arange(len(store.keys)) % 10 == 0
    write_features(sources.queries, store.keys, store.matrix, store.provenance, cut)
    texts = folder / "texts.parquet"
    names = [key.removesuffix("_r0") for key in store.keys if key.endswith("_r0")]
    write_queries(texts, [Query(name, r, f"{name} at {r}", ("p",)) for name in names for r in (0, 1)], {})
    spent = folder / "job.tsv"
    spent.write_text("s\n3.0\n")
    found: dict[str, dict[str, object]] = {}
    for name, fusion in FUSIONS.items():
        seen = (
            sources if fusion.uses_images else Sources(sources.dialogues, sources.queries, (), sources.corpus)
        )
        options = RankOptions(code="x", fusion=fusion)
        rank(options, {None: seen}, [], Path(layout.ranks(name, SET)), {"code": "x"})
        found[name] = {"dialogues": seen.dialogues, "queries": seen.queries, "pictures": seen.pictures}
        found[name] |= {"corpus": seen.corpus, "seconds": {"rank": [spent]}}
    frame = read_ranks(Path(layout.ranks("dar", SET)))
    gates = np.random.default_rng(0).random(len(frame)).astype(np.float32)
    write_ranks(Path(layout.ranks("gated", SET)), frame.assign(gate=gates), {"options": {}})
    found["gated"] = dict(found["dar"])
    for name, files in found.items():
        files |= {"ranks": layout.ranks(name, SET), "texts": [texts]}
    return found


def analysis_call(
    analysis: Analysis,
    sources: dict[str, dict[str, object]],
    output: str,
    systems: Sequence[str] = tuple(SYSTEMS),
) -> list[str]:
    """Command line of the analyse stage, as the workflow writes it."""
    measured = {name: MEASURED[name] for name in ("order", "hits", "resamples", "seed")}
    options = {"code": "x", "analysis_code": {analysis: "y"}, "analyses": [analysis], "dialogues": SET}
    options["systems"] = {name: SYSTEMS[name] for name in systems}
    read = {
        name: {role: files for role, files in one.items() if role in READS[analysis]}
        for name, one in sources.items()
    }
    return [
        *("--options", json.dumps(options | measured)),
        *("--sources", json.dumps(read, default=_plain)),
        *("--output", output),
    ]


def drawing_call(results: str, analyses: Sequence[str] = get_args(Analysis)) -> list[str]:
    """Command line of the stage that draws the analyses."""
    options = {"code": "x", "analysis_code": {}, "analyses": analyses, "k": 10}
    options |= {name: MEASURED[name] for name in ("evaluate", "order", "rounds")}
    return ["--options", json.dumps(options), "--results", results]


def _plain(value: object) -> object:
    return [str(part) for part in value] if isinstance(value, tuple) else str(value)
