"""Encoding takes over what another dialogue set has the features of."""

import json
import sys

import numpy as np
import pytest

from daitir.errors import DaitirError
from daitir.features import read_features, write_features
from daitir.queries import Query, write_queries
from daitir.shards import Picture, write_shard
from daitir.stages import encode
from tests import tiny
from tests.test_encode import png


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    return tiny.blip(tmp_path_factory.mktemp("made") / "blip")


@pytest.fixture
def run(blip, tmp_path, monkeypatch):
    """Run the stage as the workflow does, with paths as they are named in the test; returns its bytes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(blip)

    def run(what, output, *arguments, **settings):
        encoder = {"kind": "blip", "model": "model", "revision": None, "dtype": "float32"} | settings
        record = {"code": "revision-3", "digests": {"model": "ab"}, "encoder": encoder}
        how = {"encoder": {"device": "cpu", "batch_size": 4, "workers": 0}}
        line = [
            what,
            "--options",
            json.dumps(record),
            "--how",
            json.dumps(how),
            "--output",
            output,
            *arguments,
        ]
        monkeypatch.setattr(sys, "argv", ["encode", *line])
        encode.main()
        return (tmp_path / output).read_bytes()

    return run


def write_sets(folder):
    """Two sets with the same round 0; a text of it is cut to 16 tokens, one of theirs and one of ours too."""
    words = {"short": "a red star", "long": " ".join(["star"] * 20)}
    round_0 = [Query("d0", 0, words["short"], ()), Query("d1", 0, words["long"], ())]
    theirs = [Query("d0", 1, "blue " + words["long"], ()), Query("d1", 1, "a tree", ())]
    ours = [Query("d0", 1, "a circle", ()), Query("d1", 1, "green " + words["long"], ())]
    write_queries(folder / "theirs-0.parquet", [round_0[0], theirs[0]], {})
    write_queries(folder / "theirs-1.parquet", [round_0[1], theirs[1]], {})
    write_queries(folder / "ours.parquet", [*round_0, *ours], {})
    write_queries(folder / "round-0.parquet", round_0, {})


THEIRS = ["theirs-0.parquet", "theirs-1.parquet"]
KNOWN = ["--known-queries", *THEIRS, "--known-features", "theirs.h5"]


def test_texts_of_another_set_are_taken_over(run, tmp_path):
    """The store is the same with and without, what was cut is counted, and equal sets need no encoder."""
    write_sets(tmp_path)
    run("queries", "theirs.h5", "--queries", *THEIRS, max_tokens=16)
    alone = run("queries", "alone.h5", "--queries", "ours.parquet", max_tokens=16)
    assert run("queries", "ours.h5", "--queries", "ours.parquet", *KNOWN, max_tokens=16) == alone
    nothing = ["--known-queries", "--known-features"]
    assert run("queries", "ours.h5", "--queries", "ours.parquet", *nothing, max_tokens=16) == alone
    features = read_features(tmp_path / "ours.h5")
    assert features.keys == ["d0_r0", "d0_r1", "d1_r0", "d1_r1"]
    assert features.truncated.tolist() == [False, False, True, True]
    assert features.provenance["texts"] == {"all": 4, "truncated": 2}
    alone = run("queries", "alone.h5", "--queries", "round-0.parquet", max_tokens=16)
    (tmp_path / "model").unlink()  # nothing can be encoded from here on
    assert run("queries", "ours.h5", "--queries", "round-0.parquet", *KNOWN, max_tokens=16) == alone


def test_a_text_that_differs_is_encoded(run, tmp_path):
    """Features with a mark on them show which rows were taken: those of equal texts under equal keys."""
    write_sets(tmp_path)
    run("queries", "theirs.h5", "--queries", *THEIRS, max_tokens=16)
    run("queries", "alone.h5", "--queries", "ours.parquet", max_tokens=16)
    made, alone = read_features(tmp_path / "theirs.h5"), read_features(tmp_path / "alone.h5")
    marked = -made.matrix
    write_features(tmp_path / "theirs.h5", made.keys, marked, made.provenance, made.truncated)
    run("queries", "ours.h5", "--queries", "ours.parquet", *KNOWN, max_tokens=16)
    ours = read_features(tmp_path / "ours.h5").matrix
    taken = [np.array_equal(row, -other) for row, other in zip(ours, alone.matrix, strict=True)]
    assert taken == [True, False, True, False]
    assert np.array_equal(ours[1::2], alone.matrix[1::2])


def marked_old(path, versions):
    """Write a store anew with its features turned round, as other versions might make them."""
    made = read_features(path)
    write_features(path, made.keys, -made.matrix, made.provenance | versions, made.truncated)


OLD = {"versions": {"torch": "1.0"}}


def test_features_of_other_versions_are_made_again(run, tmp_path, capsys):
    """The record of the new store names the versions of now; of several stores only the old are left."""
    write_sets(tmp_path)
    run("queries", "theirs.h5", "--queries", *THEIRS, max_tokens=16)
    marked_old(tmp_path / "theirs.h5", OLD)
    alone = run("queries", "alone.h5", "--queries", "ours.parquet", max_tokens=16)
    assert run("queries", "ours.h5", "--queries", "ours.parquet", *KNOWN, max_tokens=16) == alone
    assert "note: theirs.h5 was made by other versions: not taken" in capsys.readouterr().err
    pictures = [Picture(f"d{n}_r0_k1", png(n), "png", {}) for n in range(2)]
    known = ["--known-shards", "0.tar", "1.tar", "--known-features", "0.h5", "1.h5"]
    for number, versions in enumerate(({}, OLD)):
        write_shard(tmp_path / f"{number}.tar", pictures[number : number + 1], {})
        run("pictures", f"{number}.h5", "--shard", f"{number}.tar")
        marked_old(tmp_path / f"{number}.h5", versions)
    write_shard(tmp_path / "ours.tar", pictures, {})
    run("pictures", "alone.h5", "--shard", "ours.tar")
    run("pictures", "ours.h5", "--shard", "ours.tar", *known)
    ours, alone = (read_features(tmp_path / name).matrix for name in ("ours.h5", "alone.h5"))
    assert np.array_equal(ours, alone * [[-1], [1]])


def test_features_of_another_making_are_refused(run, tmp_path):
    """Another limit of texts, or queries that the features are not of."""
    write_sets(tmp_path)
    run("queries", "theirs.h5", "--queries", *THEIRS, max_tokens=16)
    with pytest.raises(DaitirError, match=r"making of features differs between theirs\.h5 and"):
        run("queries", "ours.h5", "--queries", "ours.parquet", *KNOWN, max_tokens=32)
    some = ["--known-queries", "theirs-0.parquet", "--known-features", "theirs.h5"]
    with pytest.raises(DaitirError, match=r"theirs\.h5 does not hold the features of theirs-0\.parquet"):
        run("queries", "ours.h5", "--queries", "ours.parquet", *some, max_tokens=16)
    assert not (tmp_path / "ours.h5").exists()


def test_pictures_of_another_set_are_taken_over(run, tmp_path):
    """Same key and same bytes: not even decoded. Other bytes under the same key are encoded."""
    theirs = [Picture(f"d{n}_r{r}_k1", png(10 * r + n), "png", {}) for n in range(3) for r in range(2)]
    ours = [
        *theirs[:4],
        Picture("d2_r0_k1", png(7), "png", {}),
        Picture("d2_r1_k1", theirs[0].data, "png", {}),
    ]
    write_shard(tmp_path / "theirs-0.tar", theirs[:3], {})
    write_shard(tmp_path / "theirs-1.tar", theirs[3:], {})
    write_shard(tmp_path / "ours.tar", ours, {})
    write_shard(tmp_path / "same.tar", ours[:4], {})
    for number in range(2):
        run("pictures", f"theirs-{number}.h5", "--shard", f"theirs-{number}.tar")
    known = ["--known-shards", "theirs-0.tar", "theirs-1.tar"]
    known += ["--known-features", "theirs-0.h5", "theirs-1.h5"]
    alone = run("pictures", "alone.h5", "--shard", "ours.tar")
    assert run("pictures", "ours.h5", "--shard", "ours.tar", *known) == alone
    features = read_features(tmp_path / "ours.h5")
    assert np.array_equal(*features.rows(["d0_r0_k1", "d2_r1_k1"]))
    assert not np.array_equal(
        features.rows(["d2_r0_k1"]), read_features(tmp_path / "theirs-1.h5").rows(["d2_r0_k1"])
    )
    alone = run("pictures", "alone.h5", "--shard", "same.tar")
    (tmp_path / "model").unlink()  # nothing can be encoded from here on
    assert run("pictures", "ours.h5", "--shard", "same.tar", *known) == alone


def test_pictures_of_another_encoder_are_refused(run, tmp_path):
    """Its features lie in another space."""
    write_shard(tmp_path / "i.tar", [Picture("d0_r0_k1", png(1), "png", {})], {})
    run("pictures", "theirs.h5", "--shard", "i.tar", dtype="bfloat16")
    with pytest.raises(DaitirError, match="making of features differs"):
        run(
            "pictures",
            "ours.h5",
            "--shard",
            "i.tar",
            "--known-shards",
            "i.tar",
            "--known-features",
            "theirs.h5",
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["queries", "--queries", "q", "--known-queries", "k"], "takes --known-queries and --known-features"),
        (["pictures", "--shard", "s", "--known-features", "f"], "takes --known-shards and --known-features"),
        (["corpus", "--list", "l", "--images", "i", "--known-features", "f"], "corpus takes none"),
    ],
)
def test_half_of_what_is_known_is_refused(run, capsys, arguments, message):
    """Features and what they are of come together."""
    with pytest.raises(SystemExit):
        run(arguments[0], "out.h5", *arguments[1:])
    assert message in capsys.readouterr().err
