import json
import sys

import numpy as np
import pytest
import torch

from daitir.dialogues import read_dialogues, write_dialogues
from daitir.errors import DaitirError
from daitir.features import read_features, write_features
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import AdafuseOptions, TrainOptions
from daitir.fusions.trained import build_network
from daitir.provenance import provenance
from daitir.queries import picture_key, query_key
from daitir.ranks import ranks_provenance, read_ranks
from daitir.samples import Sources, read_samples
from daitir.stages.rank import main
from daitir.weights import write_weights
from tests.sample_files import ENCODER, World, unit, write_world

OPTIONS = AdafuseOptions(projection=16, hidden=64, experts=2, train=TrainOptions(dialogues="d"))
ADAFUSE = OPTIONS.only("bytes")


@pytest.fixture
def sources(tmp_path):
    return write_world(tmp_path, World(dialogues=20, rounds=3, images=3, width=16, candidates=40))


def rank(monkeypatch, sources, output, fusion, weights=()):
    call = [
        *("--options", json.dumps({"code": "c", "fusion": fusion})),
        *("--dialogues", str(sources.dialogues), "--queries", str(sources.queries)),
        *("--pictures", *map(str, sources.pictures), "--corpus", str(sources.corpus)),
        *("--weights", *map(str, weights), "--output", str(output)),
    ]
    monkeypatch.setattr(sys, "argv", ["rank", *call])
    main()
    return read_ranks(output)


def without_pictures(sources):
    return Sources(sources.dialogues, sources.queries, (), sources.corpus)


def weights_of(folder, seed, fusion=ADAFUSE, encoder=ENCODER):
    torch.manual_seed(seed)
    record = provenance("train", {"fusion": fusion, "seed": seed}) | {"encoder": encoder}
    path = folder / f"seed-{seed}-{len(list(folder.iterdir()))}.safetensors"
    write_weights(path, build_network(OPTIONS, width=16).state_dict(), record)
    return path


def test_text_alone(monkeypatch, sources, tmp_path):
    """Rank, score and the ten best are those of cosine search; there is no gate, router or similarity."""
    frame = rank(monkeypatch, without_pictures(sources), tmp_path / "r.parquet", {"kind": "text"})
    samples = read_samples(without_pictures(sources))
    scores = samples.text_MD @ samples.corpus.matrix.T
    own = scores[np.arange(60), samples.target_M]
    assert frame["rank"].tolist() == (scores >= own[:, None]).sum(axis=1).tolist()
    assert frame["dialogue_id"].tolist() == samples.dialogue_ids
    assert frame["target"].tolist() == samples.targets
    np.testing.assert_allclose(frame["target_score"], own, rtol=0, atol=1e-6)
    best = [samples.corpus.keys[place] for place in np.argsort(-scores[0], kind="stable")[:10]]
    assert frame["top_keys"][0].tolist() == best
    assert frame["seed"].unique().tolist() == [0]
    assert frame[["gate", "router", "similarity"]].isna().all(axis=None)


def test_similarity_is_of_text_and_mean_image(monkeypatch, sources, tmp_path):
    """Where images are looked at, cos(text, mean image) is kept: of as many images as the fusion looks at."""
    samples = read_samples(sources)
    for images, fusion in ((3, {"kind": "dar"}), (1, {"kind": "dar", "images": 1})):
        frame = rank(monkeypatch, sources, tmp_path / "r.parquet", fusion)
        image = unit(samples.images_MKD[:, :images].mean(axis=1))
        np.testing.assert_allclose(frame["similarity"], (samples.text_MD * image).sum(axis=1), atol=1e-6)
        assert frame["gate"].isna().all()


def test_each_seed_ranks(monkeypatch, sources, tmp_path):
    """A trained fusion has a row a query and seed, with gate and router; the order of files is nothing."""
    files = [weights_of(tmp_path, seed) for seed in (2, 0)]
    frame = rank(monkeypatch, sources, tmp_path / "a.parquet", ADAFUSE, files)
    assert frame.groupby("seed").size().to_dict() == {0: 60, 2: 60}
    assert frame["gate"].between(0, 1, inclusive="neither").all()
    assert all(router.sum() == pytest.approx(1) for router in frame["router"])
    assert set(ranks_provenance(tmp_path / "a.parquet")["inputs"]) >= {
        "weights of seed 0",
        "weights of seed 2",
        "pictures",
    }
    rank(monkeypatch, sources, tmp_path / "b.parquet", ADAFUSE, files[::-1])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def of_seed(sources, folder, seed):
    """The same features as if an encoder that was tuned with a seed had made them, a little turned."""
    folder.mkdir()
    paths = [folder / name for name in ("q.h5", "p.h5", "c.h5")]
    for path, store in zip(paths, (sources.queries, sources.pictures[0], sources.corpus), strict=True):
        found = read_features(store)
        options = found.provenance["options"] | {"tuned": {"seed": seed, "recipe": {}}}
        matrix = unit(found.matrix + 0.1 * np.random.default_rng(seed).normal(size=found.matrix.shape))
        write_features(path, found.keys, matrix, found.provenance | {"options": options})
    return Sources(sources.dialogues, paths[0], (paths[1],), paths[2])


def rank_seeds(monkeypatch, stores, output, fusion, weights=()):
    """Rank with the stores of several seeds at once."""
    call = [
        *("--options", json.dumps({"code": "c", "fusion": fusion}), "--dialogues", str(stores[0].dialogues)),
        *("--queries", *(str(store.queries) for store in stores)),
        *("--pictures", *(str(store.pictures[0]) for store in stores)),
        *("--corpus", *(str(store.corpus) for store in stores)),
        *("--weights", *map(str, weights), "--output", str(output)),
    ]
    monkeypatch.setattr(sys, "argv", ["rank", *call])
    main()
    return read_ranks(output)


def test_each_seed_of_a_tuned_encoder_ranks(monkeypatch, sources, tmp_path):
    """A fusion without weights has the rows of each seed's own features, in whatever order they come."""
    stores = [of_seed(sources, tmp_path / str(seed), seed) for seed in (1, 0)]
    together = rank_seeds(monkeypatch, stores, tmp_path / "a.parquet", {"kind": "dar"})
    assert together.groupby("seed").size().to_dict() == {0: 60, 1: 60}
    for store, seed in zip(stores, (1, 0), strict=True):
        alone = rank_seeds(monkeypatch, [store], tmp_path / "b.parquet", {"kind": "dar"})
        rows = together[together["seed"] == seed].reset_index(drop=True)
        assert rows["rank"].tolist() == alone["rank"].tolist()
    inputs = ranks_provenance(tmp_path / "a.parquet")["inputs"]
    assert inputs.keys() == {
        *("dialogues", "candidates"),
        *(f"{role} of seed {seed}" for role in ("queries", "pictures", "corpus") for seed in (0, 1)),
    }


def test_a_fusion_and_its_encoder_have_the_same_seed(monkeypatch, sources, tmp_path):
    """Seed 1 of the fusion goes with seed 1 of the encoder; a seed without its partner is refused."""
    stores = [of_seed(sources, tmp_path / str(seed), seed) for seed in (0, 1)]
    encoders = [read_samples(store).encoder for store in stores]
    weights = [weights_of(tmp_path, seed, encoder=encoders[seed]) for seed in (0, 1)]
    frame = rank_seeds(monkeypatch, stores, tmp_path / "a.parquet", ADAFUSE, weights[::-1])
    assert frame.groupby("seed").size().to_dict() == {0: 60, 1: 60}
    with pytest.raises(DaitirError, match="no weights of seed 0, with which the encoder was tuned"):
        rank_seeds(monkeypatch, stores, tmp_path / "b.parquet", ADAFUSE, weights[1:])
    swapped = [weights_of(tmp_path, seed, encoder=encoders[1 - seed]) for seed in (0, 1)]
    with pytest.raises(DaitirError, match="encoder differs"):
        rank_seeds(monkeypatch, stores, tmp_path / "c.parquet", ADAFUSE, swapped)


def test_features_of_other_seeds_are_refused(monkeypatch, sources, tmp_path):
    """Queries of one seed are not ranked among candidates of another."""
    one, other = (of_seed(sources, tmp_path / str(seed), seed) for seed in (0, 1))
    mixed = Sources(one.dialogues, one.queries, one.pictures, other.corpus)
    with pytest.raises(DaitirError, match="features of corpus are of seed 1, those of queries of seed 0"):
        rank_seeds(monkeypatch, [mixed], tmp_path / "a.parquet", {"kind": "dar"})


def some_dialogues(sources, folder, ids):
    """Write the files of some of the dialogues, their pictures in two shards."""
    folder.mkdir()
    dialogues = [d for d in read_dialogues(sources.dialogues) if d.dialogue_id in ids]
    asked = [(d.dialogue_id, r) for d in dialogues for r in range(3)]
    shards = (folder / "p0.h5", folder / "p1.h5")
    write_dialogues(folder / "d.parquet", dialogues, provenance("import_dialogues", {}))
    keys = [picture_key(i, r, k) for i, r in asked for k in (1, 2, 3)]
    for path, store, chosen in (
        (folder / "q.h5", sources.queries, [query_key(i, r) for i, r in asked]),
        (shards[0], sources.pictures[0], keys[::2]),
        (shards[1], sources.pictures[0], keys[1::2]),
    ):
        found = read_features(store)
        write_features(path, chosen, found.rows(chosen), found.provenance)
    return Sources(folder / "d.parquet", folder / "q.h5", shards, sources.corpus)


@pytest.mark.parametrize("fusion", [{"kind": "dar"}, {"kind": "add"}, {"kind": "image"}, ADAFUSE])
def test_bits_hang_on_the_query_alone(monkeypatch, sources, tmp_path, fusion):
    """The rows of some dialogues are, bit for bit, those of all dialogues, on one thread or two."""
    weights = [weights_of(tmp_path, 0)] if fusion is ADAFUSE else []
    all_ = rank(monkeypatch, sources, tmp_path / "all.parquet", fusion, weights)
    ids = ["d0003", "d0011", "d0012"]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        few = some_dialogues(sources, tmp_path / "few", ids)
        some = rank(monkeypatch, few, tmp_path / "some.parquet", fusion, weights)
    finally:
        torch.set_num_threads(before)
    expected = all_[all_["dialogue_id"].isin(ids)].reset_index(drop=True)
    for column in expected.columns:
        one = [value.tolist() if isinstance(value, np.ndarray) else value for value in expected[column]]
        two = [value.tolist() if isinstance(value, np.ndarray) else value for value in some[column]]
        assert str(one) == str(two), column


def test_weights_that_do_not_belong(monkeypatch, sources, tmp_path):
    """The same seed twice, weights for another encoder, of another recipe, or of no use are refused."""
    other = {**ENCODER, "digests": {"model": "other"}}
    for weights, fusion, message in (
        ([weights_of(tmp_path, 1), weights_of(tmp_path, 1)], ADAFUSE, "of the same seed 1"),
        ([weights_of(tmp_path, 0, encoder=other)], ADAFUSE, "encoder differs"),
        ([weights_of(tmp_path, 0)], {**ADAFUSE, "dropout": 0.3}, "trained with other options"),
        ([weights_of(tmp_path, 0)], {"kind": "dar"}, "takes no weights"),
        ([], ADAFUSE, "give its --weights"),
    ):
        with pytest.raises(DaitirError, match=message):
            rank(monkeypatch, sources, tmp_path / "r.parquet", fusion, weights)


def test_weights_of_others_rank(monkeypatch, sources, tmp_path):
    """Converted weights do not say which encoder they are for; they rank where the width is theirs."""
    torch.manual_seed(0)
    tensors = Adafuse(16, 16, 64, 2, 0.0).state_dict()
    record = provenance("convert", {"fusion": {"kind": "adafuse-released"}, "seed": 0}) | {"encoder": None}
    write_weights(tmp_path / "w", tensors, record)
    fusion = {"kind": "adafuse-released", "images": 1}
    frame = rank(monkeypatch, sources, tmp_path / "r.parquet", fusion, [tmp_path / "w"])
    assert frame["gate"].between(0, 1).all()
    assert frame["seed"].unique().tolist() == [0]


def test_pictures_and_fusion_belong_together(monkeypatch, sources, tmp_path):
    """Images for a fusion that looks at none, none for one that does, or too few are refused."""
    for given, fusion, message in (
        (sources, {"kind": "text"}, "looks at no generated images"),
        (without_pictures(sources), {"kind": "dar"}, "with --pictures"),
        (sources, {"kind": "dar", "images": 4}, "4 images a round but there are 3"),
    ):
        with pytest.raises(DaitirError, match=message):
            rank(monkeypatch, given, tmp_path / "r.parquet", fusion)
        assert not (tmp_path / "r.parquet").exists()
