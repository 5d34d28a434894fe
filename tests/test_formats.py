"""Formats: what is written is read, equal content is equal bytes, damage is named."""

import errno
import resource

import numpy as np
import pandas as pd
import pytest

from daitir import features, stores
from daitir.errors import DaitirError
from daitir.features import StoredFeatures, features_provenance, read_features, write_features
from daitir.queries import Query, picks_shard, read_queries, rounds_of, write_queries
from daitir.ranks import read_ranks, write_ranks
from daitir.shards import Picture, read_shard, shard_provenance, write_shard

RECORD = {"stage": "test", "options": {}, "inputs": {}, "versions": {}}


def pictures(*keys):
    return [Picture(key, f"bytes of {key}".encode(), "png", {"prompt": key, "seed": 1}) for key in keys]


def unit(*rows):
    matrix = np.array(rows, dtype=np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def test_shard_gives_back_its_pictures_by_key(tmp_path):
    """Pictures come back sorted by key, with their bytes and records."""
    write_shard(tmp_path / "s.tar", pictures("b_r0_k1", "a_r0_k1"), RECORD)
    assert list(read_shard(tmp_path / "s.tar")) == pictures("a_r0_k1", "b_r0_k1")
    assert shard_provenance(tmp_path / "s.tar") == RECORD


def test_equal_pictures_are_equal_bytes(tmp_path):
    """Neither time nor order of drawing is in the tar."""
    write_shard(tmp_path / "one.tar", pictures("a", "b"), RECORD)
    write_shard(tmp_path / "two.tar", pictures("b", "a"), RECORD)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


@pytest.mark.parametrize("size", [700, 1600, 2500])
def test_truncated_shard_is_named(tmp_path, size):
    """A tar cut anywhere is not taken for a short one."""
    write_shard(tmp_path / "s.tar", pictures("a", "b"), RECORD)
    data = (tmp_path / "s.tar").read_bytes()
    (tmp_path / "s.tar").write_bytes(data[:size])
    with pytest.raises(DaitirError, match=r"s\.tar"):
        list(read_shard(tmp_path / "s.tar"))


def test_features_are_read_by_key(tmp_path):
    """Rows come in the order of the keys asked for, whatever the order of writing."""
    write_features(tmp_path / "f.h5", ["b", "a", "c"], unit([0, 1], [1, 0], [1, 1]), RECORD)
    store = read_features(tmp_path / "f.h5")
    assert store.keys == ["a", "b", "c"]
    assert store.rows(["b", "a"]).tolist() == [[0, 1], [1, 0]]


def test_equal_features_are_equal_bytes(tmp_path):
    """The order of writing is not in the file."""
    write_features(tmp_path / "one.h5", ["b", "a"], unit([0, 1], [1, 0]), RECORD)
    write_features(tmp_path / "two.h5", ["a", "b"], unit([1, 0], [0, 1]), RECORD)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_digest_of_features_does_not_know_their_shards(tmp_path):
    """Two stores read together are the one store they were split from."""
    matrix = unit([1, 0], [0, 1], [1, 1])
    write_features(tmp_path / "all.h5", ["a", "b", "c"], matrix, RECORD)
    write_features(tmp_path / "one.h5", ["a", "c"], matrix[[0, 2]], RECORD)
    write_features(tmp_path / "two.h5", ["b"], matrix[[1]], RECORD)
    both = read_features(tmp_path / "one.h5", tmp_path / "two.h5")
    assert both.digest == read_features(tmp_path / "all.h5").digest


@pytest.mark.parametrize("bad", [[0.0, 0.0], [float("nan"), 1.0], [3.0, 4.0], [float("inf"), 0.0]])
def test_feature_that_is_no_unit_vector_is_refused_by_key(tmp_path, bad):
    """Zero vectors, NaN and lengths other than 1 are named and not written."""
    with pytest.raises(DaitirError, match="'b'"):
        write_features(tmp_path / "f.h5", ["a", "b"], np.array([[1, 0], bad], np.float32), RECORD)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


@pytest.mark.parametrize("limit", [4_000, 9_000], ids=["in the vectors", "behind them"])
def test_full_disk_is_named_and_nothing_is_left(tmp_path, limit):
    """Wherever it becomes full, HDF5 survives it, and the system's own error comes out."""
    matrix, keys = np.eye(40, 50, dtype=np.float32), [f"{'k' * 30}{place:02}" for place in range(40)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError, match=r"f\.h5") as full:
            write_features(tmp_path / "f.h5", keys, matrix, RECORD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert full.value.errno == errno.EFBIG
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_room_that_cannot_be_asked_for_changes_nothing(tmp_path, monkeypatch):
    """The room of large pieces is asked for at once where the system can do that."""
    keys, matrix = ["a", "b"], unit([1, 0], [0, 1])
    write_features(tmp_path / "one.h5", keys, matrix, RECORD)
    monkeypatch.setattr(stores, "LARGE", 1)
    write_features(tmp_path / "two.h5", keys, matrix, RECORD)
    monkeypatch.setattr(stores.ctypes, "CDLL", lambda name: object())
    write_features(tmp_path / "three.h5", keys, matrix, RECORD)
    assert len({(tmp_path / f"{name}.h5").read_bytes() for name in ("one", "two", "three")}) == 1


def test_missing_key_is_named(tmp_path):
    """A key without features stops the work."""
    write_features(tmp_path / "f.h5", ["a"], unit([1, 0]), RECORD)
    with pytest.raises(DaitirError, match="1 of 2 keys, the first is 'x'"):
        read_features(tmp_path / "f.h5").rows(["a", "x"])


def test_truncated_feature_store_is_named(tmp_path):
    """Half an HDF5 file is no feature store."""
    write_features(tmp_path / "f.h5", ["a"], unit([1, 0]), RECORD)
    data = (tmp_path / "f.h5").read_bytes()
    (tmp_path / "f.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(DaitirError, match="cannot be read"):
        read_features(tmp_path / "f.h5")


def many_features(path):
    """Write more rows than a part has."""
    keys = [f"k{number:05d}" for number in range(3000)]
    matrix = np.random.default_rng(0).standard_normal((3000, 6), dtype=np.float32)
    write_features(path, keys, matrix / np.linalg.norm(matrix, axis=1, keepdims=True), RECORD)
    return path


def test_features_may_stay_in_their_file(tmp_path, monkeypatch):
    """Part by part, by place and as a whole the vectors are those of a store that is read at once."""
    monkeypatch.setattr(features, "PART_BYTES", 1)
    path = many_features(tmp_path / "f.h5")
    stored, whole = StoredFeatures(path), read_features(path)
    assert (stored.keys, stored.shape, len(stored)) == (whole.keys, (3000, 6), 3000)
    assert (stored.digest, stored.provenance) == (whole.digest, whole.provenance)
    parts = list(stored.parts())
    assert [len(part) for part in parts] == [1024, 1024, 952]
    assert np.array_equal(np.concatenate(parts), whole.matrix)
    place = np.array([2999, 0, 7, 0])
    assert np.array_equal(stored[place], whole.matrix[place])
    assert np.array_equal(stored.matrix, whole.matrix)


@pytest.mark.parametrize("harm", ["flip", "cut", "swap"])
def test_features_that_change_in_their_file_are_refused(tmp_path, harm):
    """What happens to vectors after a store was opened ends in an error, not in other ranks."""
    path = many_features(tmp_path / "f.h5")
    stored = StoredFeatures(path)
    data = bytearray(path.read_bytes())
    data[stored.extent.start + 70] ^= 1
    path.write_bytes({"flip": data, "cut": data[: stored.extent.start + 50], "swap": data}[harm])
    if harm == "swap":
        write_features(path, ["a"], unit([1, 0]), RECORD)
    with pytest.raises(DaitirError, match=r"f\.h5"):
        list(stored.parts())
    with pytest.raises(DaitirError, match=r"f\.h5"):
        _ = stored.matrix


def test_provenance_is_read_without_the_vectors(tmp_path):
    """Who made a store is known although its vectors are damaged; its other bytes must be whole."""
    path = many_features(tmp_path / "f.h5")
    data = bytearray(path.read_bytes())
    data[StoredFeatures(path).extent.start + 70] ^= 1
    path.write_bytes(data)
    assert features_provenance(path)["stage"] == RECORD["stage"]
    with pytest.raises(DaitirError, match="cannot be read"):
        read_features(path)


def test_queries_of_shards_are_read_as_one_table(tmp_path):
    """Queries come sorted by dialogue and round, from however many files."""
    one, two = Query("b", 0, "text", ("p",)), Query("a", 1, "text", ("p", "q"), ("said",))
    write_queries(tmp_path / "1.parquet", [one], RECORD)
    write_queries(tmp_path / "2.parquet", [two], RECORD)
    assert read_queries(tmp_path / "1.parquet", tmp_path / "2.parquet") == [two, one]


def test_query_in_two_shards_is_refused(tmp_path):
    """A stale shard beside a new one is noticed."""
    for name in ("1.parquet", "2.parquet"):
        write_queries(tmp_path / name, [Query("a", 0, "text", ("p",))], RECORD)
    with pytest.raises(DaitirError, match="two shards"):
        read_queries(tmp_path / "1.parquet", tmp_path / "2.parquet")


def test_shards_share_out_all_dialogues():
    """Every dialogue lies in exactly one shard, whatever the order of the file."""
    ids = [f"d{number}" for number in range(7)]
    parts = [picks_shard(ids[::-1], f"{shard}-of-3") for shard in range(3)]
    assert sorted(name for part in parts for name in part) == ids
    assert max(map(len, parts)) - min(map(len, parts)) == 1


def test_chosen_rounds_hang_on_the_name():
    """A dialogue draws the same rounds anywhere; all rounds are drawn by somebody."""
    assert rounds_of("a", 11, 2) == rounds_of("a", 11, 2)
    assert {round_ for number in range(100) for round_ in rounds_of(str(number), 11, 2)} == set(range(11))
    assert rounds_of("a", 3, None) == [0, 1, 2]


def test_ranks_are_read_as_they_were_written(tmp_path):
    """A method without a gate has null there, and stays so."""
    row = {"dialogue_id": "a", "round": 0, "seed": 0, "target": "t.png", "rank": 3, "ties": 1}
    row |= {"target_score": 0.5, "top_keys": ["t.png"], "top_scores": [0.5]}
    row |= {"gate": None, "router": None, "similarity": None}
    write_ranks(tmp_path / "r.parquet", pd.DataFrame([row]), RECORD)
    frame = read_ranks(tmp_path / "r.parquet")
    assert frame["rank"].tolist() == [3]
    assert frame["gate"].isna().all()
