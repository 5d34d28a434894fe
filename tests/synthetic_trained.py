"""More of the small results folder: an encoder tuned with two seeds, an oracle, claims, benchmark files."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from daitir.features import read_features, write_features
from daitir.fusions.oracle import best_of
from daitir.layout import Layout, instance_name, shard_names
from daitir.ranks import read_ranks, write_ranks
from daitir.seals import write_sealed
from daitir.stages import measure
from daitir.tuning.history import write_tuning_history
from tests.synthetic import FIGURE, SET, SHARDS, made, make_results
from tests.test_measure import measure_options

SEEDS = (0, 1)
CLAIMS = [
    {
        "kind": "degrades",
        "claim": "dar makes <most> queries worse.",
        "source": "ADaFuSE",
        "tried": "five ranks\nfor every query.",
        "system": "dar",
        "dialogues": SET,
        "round": 2,
        "at_least": 60,
    },
    {
        "kind": "better",
        "claim": "Tuning helps.",
        "system": "text-dmcl",
        "than": "text",
        "measure": "log_rank",
        "dialogues": SET,
        "round": 2,
    },
    {
        "kind": "better",
        "claim": "adafuse loses fewer ranks.",
        "system": "adafuse",
        "than": "dar",
        "measure": "rank_drop",
        "dialogues": SET,
        "round": 2,
    },
    {"kind": "gate-falls", "claim": "The gate falls.", "system": "adafuse", "dialogues": SET},
]
SECONDS = {
    "fusions/adafuse/blip/sd3/llm/seed-0": 10,
    "fusions/adafuse/blip/sd3/llm/seed-1": 20,
    "encoders/blip-dmcl/seed-0": 100,
    "encoders/blip-dmcl/seed-1": 300,
}


def make_trained(folder: Path) -> dict:
    """Write results and tables and return their config: ``text-dmcl`` ranks ahead by a place or two."""
    config = make_results(folder)
    layout = Layout(str(folder / "results"))
    for seed in SEEDS:
        make_encoder(layout, seed)
    text = read_ranks(Path(layout.ranks("text", SET)))
    frames = [text.assign(seed=seed, rank=np.maximum(1, text["rank"] - 1 - seed)) for seed in SEEDS]
    inputs = {f"{role} of seed {seed}": "ab" for role in ("queries", "corpus") for seed in SEEDS}
    record = made("rank", fusion={"kind": "text"}) | {"inputs": inputs}
    write_ranks(Path(layout.ranks("text-dmcl", SET)), pd.concat(frames), record)
    chosen = best_of({name: read_ranks(Path(layout.ranks(name, SET))) for name in ("dar", "adafuse")})
    write_ranks(Path(layout.ranks("oracle", SET)), chosen, made("rank", fusion={"of": ["dar", "adafuse"]}))
    write_sealed(Path(layout.figure("tuning-blip-dmcl")), FIGURE.replace("curve", "terms"))
    make_dar(layout)
    for name, seconds in SECONDS.items():
        write_sealed(folder / "benchmarks" / f"{name}.tsv", f"s\th:m:s\n{seconds}\t0:00:00\n")
    tuned = {"encoder": "blip-dmcl", "queries": "llm", "method": "text", "baseline": "text"}
    dar = {
        "encoder": "blip-dmcl",
        "queries": "llm",
        "images": "sd3",
        "method": "dar",
        "baseline": "text-dmcl",
    }
    config |= {"systems": config["systems"] | {"text-dmcl": tuned, "dar-dmcl": dar}}
    config |= {"oracles": {"oracle": {"of": ["dar", "adafuse"], "baseline": "text"}}}
    config["report"] |= {"claims": CLAIMS}
    write_tables(folder, config)
    return config


def make_encoder(layout: Layout, seed: int) -> None:
    """Write the history and the features of one training of an encoder."""
    tuned = {"seed": seed, "recipe": {"kind": "dmcl", "epochs": 9}}
    for path in map(
        Path, (layout.query_features("blip", "llm", SET), layout.corpus_features("blip", "tiny"))
    ):
        store = read_features(path)
        record = store.provenance | {"options": store.provenance["options"] | {"tuned": tuned}}
        there = Path(str(path).replace("/blip/", f"/{instance_name('blip-dmcl', seed)}/"))
        write_features(there, store.keys, store.matrix, record | {"inputs": {"model": f"digest{seed}"}})
    tuning = {"parameters": 4_938_268, "trained_parameters": 4_000_000, "dialogues": 80}
    tuning |= {"held_out_dialogues": 20, "epoch": 3 + seed}
    tuning |= {"held_out": {"recall_at_10": 0.75}, "held_out_before": {"recall_at_10": 0.5}}
    path = Path(layout.tuned_encoder("blip-dmcl", seed)) / "history.parquet"
    write_tuning_history(path, [], made("tune", tune={"kind": "dmcl"}) | {"tuning": tuning})


def make_dar(layout: Layout) -> None:
    """Write ranks by images under the tuned encoder, and how its views compare with those before."""
    dar = read_ranks(Path(layout.ranks("dar", SET)))
    roles = ("queries", "corpus", "pictures")
    inputs = {f"{role} of seed {seed}": "ab" for role in roles for seed in SEEDS}
    record = made("rank", fusion={"kind": "dar", "images": 1}) | {"inputs": inputs}
    write_ranks(Path(layout.ranks("dar-dmcl", SET)), pd.concat(dar.assign(seed=s) for s in SEEDS), record)
    for seed, shard in itertools.product(SEEDS, shard_names(SHARDS)):
        store = read_features(Path(layout.image_features("blip", "sd3", "llm", SET, shard)))
        there = layout.image_features(instance_name("blip-dmcl", seed), "sd3", "llm", SET, shard)
        write_features(Path(there), store.keys, store.matrix, store.provenance)
    lines = ["encoder,round,queries,agreement,faithful,hallucinated", "blip,0,12,0.5,0.4,0.4"]
    lines += [f"blip-dmcl.seed-{seed},0,12,{0.7 + 0.1 * seed},0.6,0.2" for seed in SEEDS]
    write_sealed(Path(layout.table(f"views-blip-dmcl.{SET}")), "\n".join(lines) + "\n")
    write_sealed(Path(layout.figure(f"views-blip-dmcl.{SET}")), FIGURE.replace("curve", "plane"))


def order_of(config: dict) -> list[str]:
    """Systems and then oracles, as the workflow orders them."""
    return [*config["systems"], *config.get("oracles", {})]


def write_tables(folder: Path, config: dict) -> None:
    """Measure the ranks."""
    rows = {**config["systems"], **config["oracles"]}
    systems = {name: {"baseline": row.get("baseline")} for name, row in rows.items()}
    changed = {"systems": systems, "order": order_of(config), "claims": config["report"]["claims"]}
    options = measure.MeasureOptions.parse(measure_options(config, **changed), "test")
    measure.run(options, folder / "results")
