"""Feature stores, tables and weights: damaged bytes, other schemas, wrong numbers."""

import string

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.torch import save_file

from daitir.dialogues import Dialogue, read_dialogues, write_dialogues
from daitir.features import StoredFeatures, features_provenance, read_features, write_features
from daitir.history import SCHEMA as HISTORY
from daitir.history import read_history, write_history
from daitir.queries import Query, read_queries, write_queries
from daitir.ranks import read_ranks, write_ranks
from daitir.tables import table_provenance
from daitir.weights import fill, read_weights, write_weights

from .malformed import EDITS, SCALARS, damage, ends_well

RECORD = {"stage": "test", "options": {"model": "tiny"}, "inputs": {}, "versions": {}}
DIALOGUES = [Dialogue(f"d{n}", f"{n}.png", (f"star {n}", "is it red? yes"), n) for n in range(4)]
QUERIES = [
    Query(f"d{n}", round_, f"star {n}", ("a star",) * 2, ("star",)) for n in range(3) for round_ in (0, 1)
]


def ranks_frame():
    rows = [
        {
            "dialogue_id": f"d{n}", "round": 0, "seed": 0, "target": f"{n}.png", "rank": n + 1, "ties": 0,
            "target_score": 0.5, "top_keys": ["0.png"], "top_scores": [0.5], "gate": None, "router": None,
            "similarity": 0.1,
        }
        for n in range(4)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def history_rows():
    numbers = {field.name: 0.5 for field in HISTORY if pa.types.is_floating(field.type)}
    return [numbers | {"epoch": n, "expert_load": [0.5, 0.5], "chosen": n == 1} for n in (1, 2)]


TABLES = {
    "dialogues": (lambda path: write_dialogues(path, DIALOGUES, RECORD), read_dialogues),
    "queries": (lambda path: write_queries(path, QUERIES, RECORD), read_queries),
    "ranks": (lambda path: write_ranks(path, ranks_frame(), RECORD), read_ranks),
    "history": (lambda path: write_history(path, history_rows(), RECORD), read_history),
}


def same(found, expected):
    return found.equals(expected) if isinstance(expected, pd.DataFrame) else found == expected


@pytest.mark.parametrize("kind", TABLES)
@given(data=st.data())
def test_a_damaged_table_is_refused_or_what_it_was(folder, kind, data):
    """No byte of a Parquet file changes a row unseen."""
    write, read = TABLES[kind]
    good, file = folder / f"{kind}.parquet", folder / f"{kind}-damaged.parquet"
    if not good.exists():
        write(good)
    file.write_bytes(damage(good.read_bytes(), data.draw(EDITS)))
    found = ends_well(read, file)
    assert found is None or same(found, read(good))
    made = ends_well(table_provenance, file)
    assert made is None or made["stage"] == "test"


ROWS = 4
COLUMNS = {
    "int16": st.integers(-(2**15), 2**15 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": st.text(string.printable, max_size=5),
    "bool": st.booleans(),
}


@pytest.mark.parametrize("kind", TABLES)
@settings(max_examples=150)
@given(data=st.data())
def test_a_table_of_another_schema_is_refused(folder, kind, data):
    """Columns lost, new, renamed, of other types, in another order, or with nulls."""
    write, read = TABLES[kind]
    good, file = folder / f"{kind}-good.parquet", folder / f"{kind}-other.parquet"
    if not good.exists():
        write(good)
    table = pq.read_table(good)
    place = data.draw(st.integers(0, table.num_columns - 1))
    name = table.column_names[place]
    match data.draw(st.sampled_from(["lose", "rename", "type", "order", "null", "twice"])):
        case "lose":
            table = table.drop_columns([name])
        case "rename":
            table = table.rename_columns([f"{one}s" if one == name else one for one in table.column_names])
        case "type":
            type_ = data.draw(st.sampled_from(sorted(COLUMNS)))
            values = [data.draw(COLUMNS[type_]) for _ in range(table.num_rows)]
            table = table.set_column(place, name, pa.array(values, type_))
        case "order":
            table = table.select(data.draw(st.permutations(table.column_names)))
        case "null":
            table = table.set_column(place, name, pa.nulls(table.num_rows, table.schema.field(place).type))
        case "twice":
            table = pa.concat_tables([table, table.slice(0, 1)])
    pq.write_table(table, file)
    ends_well(read, file)
    ends_well(table_provenance, file)


KEYS = ["a", "b", "c"]


@given(data=st.data())
def test_a_damaged_feature_store_is_refused_or_what_it_was(folder, data):
    """No byte of an HDF5 file changes a vector or a key unseen."""
    good, file = folder / "good.h5", folder / "damaged.h5"
    if not good.exists():
        write_features(good, KEYS, np.eye(3, 8, dtype=np.float32), RECORD)
    file.write_bytes(damage(good.read_bytes(), data.draw(EDITS)))
    found, whole = ends_well(read_features, file), read_features(good)
    assert found is None or (found.keys == whole.keys and np.array_equal(found.matrix, whole.matrix))
    ends_well(features_provenance, file)
    parts = ends_well(lambda path: list(StoredFeatures(path).parts()), file)
    assert parts is None or np.array_equal(np.concatenate(parts), whole.matrix)


@given(data=st.data())
def test_a_feature_store_of_other_numbers_is_refused(folder, data):
    """Types, shapes, lengths that are not one, keys that are no texts, parts that are missing."""
    file = folder / "other.h5"
    dtype = data.draw(st.sampled_from(["f4", "f8", "f2", "i4", "u1", "?", "S3"]))
    shape = data.draw(st.sampled_from([(3, 8), (3, 1), (2, 8), (3,), (), (0, 8), (3, 0), (3, 2, 2)]))
    matrix = data.draw(arrays.arrays(dtype, shape))
    keys = data.draw(
        st.sampled_from([[b"a", b"b", b"c"], [b"\xff", b"b", b"c"], [1, 2, 3], [b"a", b"a", b"b"], 7])
    )
    record = data.draw(st.sampled_from(['{"options":{}}', "", "{", "[]", "null", b"\xff", 7]))
    with h5py.File(file, "w") as store:
        parts = {"keys": keys, "features": matrix, "truncated": data.draw(SCALARS)}
        for name in data.draw(st.sets(st.sampled_from(sorted(parts)))):
            try:
                store[name] = parts[name]
            except (TypeError, ValueError, OverflowError):
                continue
        if data.draw(st.booleans()):
            store.attrs["provenance"] = record
    found = ends_well(read_features, file)
    if found is not None:
        assert found.matrix.dtype == np.float32
        assert np.allclose(np.linalg.norm(found.matrix, axis=1), 1, atol=1e-3)
        assert all(isinstance(key, str) for key in found.keys)
        assert len(set(found.keys)) == len(found.keys)
        assert isinstance(found.provenance, dict)


@given(data=st.data())
def test_damaged_weights_are_refused_or_what_they_were(folder, data):
    """No byte of a safetensors file changes a weight unseen."""
    good, file = folder / "good.safetensors", folder / "damaged.safetensors"
    if not good.exists():
        write_weights(good, {"bias": torch.zeros(3), "weight": torch.eye(3)}, RECORD)
    file.write_bytes(damage(good.read_bytes(), data.draw(EDITS)))
    found, (whole, _) = ends_well(read_weights, file), read_weights(good)
    if found is not None:
        assert found[0].keys() == whole.keys()
        assert all(torch.equal(found[0][name], whole[name]) for name in whole)


@given(data=st.data())
def test_weights_of_another_network_are_refused(folder, data):
    """Names, shapes, types and numbers that do not fill the network."""
    file, network = folder / "other.safetensors", torch.nn.Linear(3, 3)
    tensors = {}
    for name in data.draw(st.sets(st.sampled_from(["bias", "weight", "other", "weight.0"]))):
        dtype = data.draw(st.sampled_from([torch.float32, torch.float16, torch.int64, torch.bool]))
        shape = data.draw(st.sampled_from([(3,), (3, 3), (), (0,), (1, 3)]))
        tensors[name] = torch.full(
            shape, data.draw(st.sampled_from([0, 1, float("nan"), float("inf")])), dtype=torch.float32
        ).to(dtype)
    save_file(
        tensors,
        file,
        metadata=data.draw(st.sampled_from([None, {"daitir.provenance": "{}"}, {"daitir.provenance": "["}])),
    )
    found = ends_well(read_weights, file)
    if found is not None:
        ends_well(fill, network, found[0], file)
        assert all(torch.isfinite(weight).all() for weight in network.parameters())
