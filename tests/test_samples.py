import numpy as np
import pytest

from daitir.dialogues import Dialogue, read_dialogues, write_dialogues
from daitir.errors import DaitirError
from daitir.features import read_features, write_features
from daitir.provenance import provenance
from daitir.samples import read_samples
from tests.sample_files import ENCODER, World, unit, write_world

SMALL = World(dialogues=4, rounds=2, images=3, width=8, candidates=6)


def test_samples_are_joined_by_name(tmp_path):
    """Every row holds the text, the images in the order of k and the target of its own query."""
    sources = write_world(tmp_path, SMALL)
    samples = read_samples(sources)
    queries, pictures = read_features(sources.queries), read_features(*sources.pictures)
    assert list(zip(samples.dialogue_ids, samples.round_M.tolist(), strict=True)) == [
        (f"d{n:04}", r) for n in range(4) for r in range(2)
    ]
    assert samples.targets[5] == samples.corpus.keys[samples.target_M[5]] == "0002.png"
    np.testing.assert_array_equal(samples.text_MD[5], queries.rows(["d0002_r1"])[0])
    np.testing.assert_array_equal(
        samples.images_MKD[5], pictures.rows(["d0002_r1_k1", "d0002_r1_k2", "d0002_r1_k3"])
    )


def test_samples_without_images(tmp_path):
    """Where no pictures are given there are none."""
    sources = write_world(tmp_path, SMALL)
    samples = read_samples(type(sources)(sources.dialogues, sources.queries, (), sources.corpus))
    assert samples.images_MKD is None
    assert set(samples.digests) == {"dialogues", "candidates", "queries", "corpus"}


def test_shards_do_not_count(tmp_path):
    """Pictures in two files are the samples and the digests of pictures in one."""
    sources = write_world(tmp_path, SMALL)
    pictures = read_features(*sources.pictures)
    shards = (tmp_path / "p0.h5", tmp_path / "p1.h5")
    for shard, path in enumerate(shards):
        keys = pictures.keys[shard::2]
        write_features(path, keys, pictures.rows(keys), pictures.provenance)
    split = read_samples(type(sources)(sources.dialogues, sources.queries, shards, sources.corpus))
    whole = read_samples(sources)
    np.testing.assert_array_equal(split.images_MKD, whole.images_MKD)
    assert split.digests == whole.digests


RETRAINED = provenance("encode", {**ENCODER, "digests": {"model": "x"}})


def other(**encoder):
    return provenance("encode", {**ENCODER, "encoder": {**ENCODER["encoder"], **encoder}})


def rewrite(path, keys=lambda keys: keys, record=None, width=None):
    """Write a feature store anew with other keys, another provenance or another width."""
    found = read_features(path)
    chosen = keys(found.keys)
    matrix = found.rows([key if key in found.keys else found.keys[0] for key in chosen])
    write_features(path, chosen, unit(matrix[:, :width]), record or found.provenance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: rewrite(s.queries, record=other(dtype="bfloat16")), "encoder differs between .*queries"),
        (lambda s: rewrite(s.pictures[0], record=other(model="n")), "encoder differs between .*pictures"),
        (lambda s: rewrite(s.pictures[0], record=RETRAINED), "encoder differs"),
        (lambda s: rewrite(s.queries, width=4), "width differs"),
        (lambda s: rewrite(s.queries, lambda keys: keys[2:]), "lacks 1 of 4 dialogues .* 'd0000'"),
        (lambda s: rewrite(s.queries, lambda keys: [*keys, "d9_r0"]), "holds 1 queries .* 'd9_r0'"),
        (lambda s: rewrite(s.pictures[0], lambda keys: keys[3:]), "lack 3 of 24 .* 'd0000_r0_k1'"),
        (lambda s: rewrite(s.pictures[0], lambda keys: [*keys[1:], "d9_r0_k1"]), "to none .* 'd9_r0_k1'"),
        (lambda s: rewrite(s.corpus, lambda keys: keys[1:]), "1 targets are not in .* '0000.png'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path, change, message):
    """A mix of encoders, a width, a gap, a stranger: each is named and stops the work."""
    sources = write_world(tmp_path, SMALL)
    change(sources)
    with pytest.raises(DaitirError, match=message):
        read_samples(sources)


def test_texts_may_know_more_of_the_encoder(tmp_path):
    """The length limit of texts stands in the record of query features alone and is no difference."""
    sources = write_world(tmp_path, SMALL)
    rewrite(sources.queries, record=other(max_tokens=77))
    assert read_samples(sources).encoder == ENCODER


def test_order_of_dialogues_does_not_count(tmp_path):
    """Samples are sorted by name."""
    sources = write_world(tmp_path, SMALL)
    before = read_samples(sources).dialogue_ids
    found = [*reversed(read_dialogues(sources.dialogues))]
    write_dialogues(sources.dialogues, found, provenance("import_dialogues", {}))
    assert read_samples(sources).dialogue_ids == before
    write_dialogues(sources.dialogues, [*found, Dialogue("e", "0000.png", ("a",))], provenance("i", {}))
    with pytest.raises(DaitirError, match="lacks 1 of 5"):
        read_samples(sources)
