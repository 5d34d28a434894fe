"""One small file of every kind, how it is written and how it is read: for the tests of damage."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
import torch

from daitir.corpora import read_corpus, write_corpus
from daitir.dialogues import Dialogue, read_dialogues, write_dialogues
from daitir.features import features_provenance, read_features, write_features
from daitir.history import read_history, write_history
from daitir.queries import Query, read_queries, write_queries
from daitir.ranks import read_ranks, write_ranks
from daitir.report.reading import read_csv, read_figure
from daitir.seals import (
    IN_MODEL,
    content_digest,
    provenance_beside,
    read_folder_seal,
    require_whole,
    seal,
    seal_folder,
    write_sealed,
)
from daitir.shards import Picture, ShardPictures, read_shard, shard_provenance, write_shard
from daitir.stores import Extent, digest_matrix, write_head
from daitir.tables import table_provenance
from daitir.tuning.history import read_tuning_history, write_tuning_history
from daitir.weights import read_weights, write_weights
from tests.synthetic import picture, ranks_frame

RECORD = {"stage": "test", "options": {"seed": 3, "scale": 0.5}, "inputs": {"a": "b"}, "versions": {"x": "1"}}


def sum_up(path):
    """Give a feature store the head of what it holds now, as whoever changed it means it to be."""
    with h5py.File(path) as store:
        place, matrix = store["features"].id.get_offset(), store["features"][:]
    with path.open("r+b", buffering=0) as file:
        write_head(file, Extent(place, matrix.nbytes, digest_matrix(matrix)))


KEYS = [f"images/{number:02d}.png" for number in range(40)]


def dialogues(path, other):
    write_dialogues(
        path, [Dialogue(f"d{n}", KEYS[n], ("a caption", f"turn {other}"), n) for n in range(9)], RECORD
    )


def queries(path, other):
    rows = [Query(f"d{n}", 1, f"text {n} {other}", ("a prompt", "two"), ("said",)) for n in range(9)]
    write_queries(path, rows, RECORD)


def shard(path, other):
    pictures = [Picture(f"d{n}_r0_k1", picture(n + other), "png", {"prompt": f"p{n}"}) for n in range(5)]
    write_shard(path, pictures, RECORD)


def features(path, other):
    rows = np.random.default_rng(other).normal(size=(50, 12))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    write_features(path, [f"key-{n:03d}" for n in range(50)], rows, RECORD, np.arange(50) % 3 == 0)


def weights(path, other):
    torch.manual_seed(other)
    write_weights(path, torch.nn.Linear(9, 7).state_dict(), RECORD)


def ranks(path, other):
    write_ranks(path, ranks_frame(("dar", "text")[other], KEYS), RECORD)


def history(path, other):
    row = {"loss": 2.5 + other, "learning_rate": 1e-3, "scale": 50.0, "mrr": 0.25, "chosen": True}
    write_history(path, [row | {"epoch": epoch} for epoch in range(1, 9)], RECORD)


def tuning(path, other):
    row = {"loss": 2.5 + other, "terms": [0.5, 0.25], "mrr": 0.25, "chosen": True}
    write_tuning_history(path, [row | {"epoch": epoch} for epoch in range(1, 9)], RECORD)


def simulated(path, other):
    text = "".join(f'{{"id":"d{n}","target":"{KEYS[n]}","turns":["a {other}"]}}\n' for n in range(9))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    provenance_beside(path).write_text(seal(RECORD, path, content_digest([text.encode()])))


def read_simulated(path):
    require_whole(path)
    return path.read_text()


def model(path, other):
    path.mkdir(parents=True)
    (path / "config.json").write_text('{"width": 16}')
    (path / "model.safetensors").write_bytes(Random(other).randbytes(4000))
    seal_folder(path, path, RECORD, IN_MODEL)


def read_model(path):
    return read_folder_seal(path, IN_MODEL).record, (path / "model.safetensors").read_bytes()


def figure(path, other):
    write_sealed(path, f"<svg>{'curve ' * 50}{other}</svg>\n")


def tensors(path):
    found, record = read_weights(path)
    return {name: tensor.tolist() for name, tensor in found.items()}, record


def corpus(path, other):
    write_corpus(path, KEYS[other:])


def table(path, other):
    write_sealed(path, "system,value\n" + "".join(f"text,0.{number}{other}\n" for number in range(30)))


def read_store(path):
    store = read_features(path)
    return (
        store.keys,
        store.matrix.tolist(),
        store.truncated.tolist(),
        features_provenance(path),
        store.digest,
    )


def read_pictures(path):
    by_key = ShardPictures([path])
    return list(read_shard(path)), [by_key.read(one.key) for one in read_shard(path)], shard_provenance(path)


def with_provenance(read):
    def both(path):
        found = read(path)
        return found.to_dict("list") if isinstance(found, pd.DataFrame) else found, table_provenance(path)

    return both


class Kind(NamedTuple):
    """A kind of artefact: its place, the place of another of its kind, how it is written and read."""

    own: str
    other: str
    write: Callable[[Path, int], None]
    read: Callable[[Path], Any]


KINDS = {
    "dialogues": Kind(
        "dialogues/a.parquet", "dialogues/b.parquet", dialogues, with_provenance(read_dialogues)
    ),
    "queries": Kind(
        "queries/llm/a/shard-0-of-2.parquet",
        "queries/raw/a/shard-0-of-2.parquet",
        queries,
        with_provenance(read_queries),
    ),
    "shard": Kind(
        "images/sd3/llm/a/shard-0-of-2.tar", "images/sd3/llm/a/shard-1-of-2.tar", shard, read_pictures
    ),
    "features": Kind("features/a/corpora/c.h5", "features/b/corpora/c.h5", features, read_store),
    "weights": Kind(
        "fusions/f/e/g/r/seed-0/model.safetensors",
        "fusions/f/e/g/r/seed-1/model.safetensors",
        weights,
        tensors,
    ),
    "history": Kind(
        "fusions/f/e/g/r/seed-0/history.parquet",
        "fusions/f/e/g/r/seed-1/history.parquet",
        history,
        with_provenance(read_history),
    ),
    "tuning": Kind(
        "encoders/e/seed-0/history.parquet",
        "encoders/e/seed-1/history.parquet",
        tuning,
        with_provenance(read_tuning_history),
    ),
    "ranks": Kind("ranks/text/a.parquet", "ranks/dar/a.parquet", ranks, with_provenance(read_ranks)),
    "corpus": Kind("corpora/a.json", "corpora/b.json", corpus, read_corpus),
    "simulated": Kind("simulated/a.jsonl", "simulated/b.jsonl", simulated, read_simulated),
    "table": Kind("tables/by_round.csv", "tables/by_seed.csv", table, read_csv),
    "figure": Kind("figures/hits-a.svg", "figures/gate-a.svg", figure, read_figure),
}
FOLDER = Kind("encoders/e/seed-0/model", "encoders/e/seed-1/model", model, read_model)
