import io
import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from daitir import ahead
from daitir.errors import DaitirError
from daitir.features import read_features
from daitir.files import digest_model
from daitir.queries import Query, write_queries
from daitir.seals import IN_MODEL, seal_folder
from daitir.shards import Picture, write_shard
from daitir.stages import encode
from tests import tiny

# More processes than the machine has cores are asked for on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    tiny.blip(root / "blip")
    tiny.corpus(root)
    return root


def record_of(made, **text):
    encoder = {"kind": "blip", "model": str(made / "blip"), "revision": None, "dtype": "float32"}
    return {"code": "revision-1", "digests": {"model": "ab"}, "encoder": encoder | text}


def call(made, what, output, monkeypatch, record, how=None, **paths):
    """Run the stage as the workflow does."""
    arguments = {
        "options": [json.dumps(record)],
        "how": [json.dumps({"encoder": {"device": "cpu", "batch_size": 4} | (how or {})})],
        "output": [output],
    } | {name: value if isinstance(value, list) else [value] for name, value in paths.items()}
    line = [part for name, values in arguments.items() for part in (f"--{name}", *map(str, values))]
    monkeypatch.setattr(sys, "argv", ["encode", what, *line])
    encode.main()
    return output.read_bytes()


def corpus(made, output, monkeypatch, **how):
    paths = {"list": made / "corpus.json", "images": made / "images"}
    return call(made, "corpus", output, monkeypatch, record_of(made), how, **paths)


def test_corpus_features_are_kept_under_the_image_names(made, tmp_path, monkeypatch):
    """One unit vector an image, and the same bytes however they are computed."""
    wanted = corpus(made, tmp_path / "a.h5", monkeypatch)
    features = read_features(tmp_path / "a.h5")
    assert features.keys == [f"{number}.png" for number in range(7)]
    assert features.matrix.shape == (7, 16)
    assert list(features.provenance["inputs"]) == ["corpus"]
    assert features.provenance["facts"].keys() == {"width", "preprocessing", "parameters"}  # nothing of texts
    assert corpus(made, tmp_path / "b.h5", monkeypatch, batch_size=64, workers=0) == wanted
    assert corpus(made, tmp_path / "c.h5", monkeypatch, batch_size=1, workers=3) == wanted


def test_query_features_of_shards_are_those_of_the_whole(made, tmp_path, monkeypatch):
    """Queries of several shards go into one store; texts that were cut are counted."""
    queries = [
        Query(f"d{n}", r, " ".join(["star"] * (1 + 5 * n + r)), ()) for n in range(4) for r in range(2)
    ]
    write_queries(tmp_path / "all.parquet", queries, {})
    write_queries(tmp_path / "0.parquet", queries[::2], {})
    write_queries(tmp_path / "1.parquet", queries[1::2], {})
    record = record_of(made, max_tokens=16)
    one = call(made, "queries", tmp_path / "a.h5", monkeypatch, record, queries=tmp_path / "all.parquet")
    shards = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    two = call(made, "queries", tmp_path / "b.h5", monkeypatch, record, {"batch_size": 3}, queries=shards)
    assert one == two
    features = read_features(tmp_path / "a.h5")
    assert features.keys == [query.key for query in queries]
    assert features.provenance["texts"] == {"all": 8, "truncated": 2}  # of 16 and 17 words
    assert features.truncated.tolist() == [False] * 6 + [True] * 2
    images = {"width": 16, "preprocessing": "24 x 24, bicubic, mean 0.48 0.46 0.41, std 0.27 0.26 0.28"}
    weights = sum(tensor.numel() for tensor in load_file(made / "blip" / "model.safetensors").values())
    assert features.provenance["facts"] == {"text_limit": 16, "parameters": weights} | images


def test_a_tuned_encoder_encodes_with_its_own_model(made, tmp_path, monkeypatch):
    """The model that a tuning made is read, and stands in the record by its content, seed and recipe."""
    plain = corpus(made, tmp_path / "a.h5", monkeypatch)
    tuned = tmp_path / "seed-3" / "model"
    shutil.copytree(made / "blip", tuned)
    weights = load_file(tuned / "model.safetensors")
    weights["vision_proj.weight"] = -weights["vision_proj.weight"]
    save_file(weights, tuned / "model.safetensors", metadata={"format": "pt"})
    recipe = {"kind": "dmcl"}
    seal_folder(tuned, tuned, {"options": {"seed": 3, "tune": recipe}}, IN_MODEL)
    record = record_of(made) | {"tuned": {"seed": 3, "recipe": recipe}}
    paths = {"list": made / "corpus.json", "images": made / "images"}
    other = call(made, "corpus", tmp_path / "b.h5", monkeypatch, record, tuned=tuned, **paths)
    found = read_features(tmp_path / "b.h5")
    assert other != plain
    assert found.provenance["inputs"]["model"] == digest_model(tuned)
    assert found.provenance["options"]["tuned"] == {"seed": 3, "recipe": {"kind": "dmcl"}}
    with pytest.raises(DaitirError, match="belong together: give both or none"):
        call(made, "corpus", tmp_path / "c.h5", monkeypatch, record, **paths)
    for wrong in ({"seed": 0, "recipe": recipe}, {"seed": 3, "recipe": {"kind": "plugir"}}):
        other = record | {"tuned": wrong}
        with pytest.raises(DaitirError, match=r"tuning differs between .*model and what is asked for"):
            call(made, "corpus", tmp_path / "c.h5", monkeypatch, other, tuned=tuned, **paths)
    (tuned / "provenance.json").unlink()
    with pytest.raises(DaitirError, match=r"provenance\.json cannot be read .*: remove the folder"):
        call(made, "corpus", tmp_path / "c.h5", monkeypatch, record, tuned=tuned, **paths)


def png(seed):
    stream = io.BytesIO()
    Image.frombytes("RGB", (24, 24), np.random.default_rng(seed).bytes(24 * 24 * 3)).save(stream, "PNG")
    return stream.getvalue()


def test_equal_pictures_get_equal_features(made, tmp_path, monkeypatch):
    """Every picture of a shard is there, equal ones computed once."""
    pictures = [Picture(f"d{n}_r0_k1", png(n % 2), "png", {}) for n in range(3)]
    write_shard(tmp_path / "i.tar", pictures, {})
    call(made, "pictures", tmp_path / "p.h5", monkeypatch, record_of(made), shard=tmp_path / "i.tar")
    features = read_features(tmp_path / "p.h5")
    assert features.keys == ["d0_r0_k1", "d1_r0_k1", "d2_r0_k1"]
    assert np.array_equal(features.matrix[0], features.matrix[2])
    assert not np.array_equal(features.matrix[0], features.matrix[1])


def test_a_picture_and_the_same_corpus_image_are_one_point(made, tmp_path, monkeypatch):
    """Whatever way an image takes, its feature is the same to the last bit."""
    corpus(made, tmp_path / "c.h5", monkeypatch)
    data = (made / "images" / "3.png").read_bytes()
    write_shard(tmp_path / "i.tar", [Picture("d0_r0_k1", data, "png", {})], {})
    call(made, "pictures", tmp_path / "p.h5", monkeypatch, record_of(made), shard=tmp_path / "i.tar")
    row = read_features(tmp_path / "c.h5").rows(["3.png"])
    assert np.array_equal(read_features(tmp_path / "p.h5").matrix, row)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("gone.png", None, r"gone\.png does not exist, but .*list\.json lists it"),
        ("bad.png", b"no image", r"bad\.png is not an image"),
        ("cut.png", png(0)[:-100], r"cut\.png is damaged or cut short"),
        ("../secret.png", None, r"list\.json entry 1: '\.\./secret\.png' leaves its folder"),
        ("/etc/passwd", None, r"list\.json entry 1: '/etc/passwd' leaves its folder"),
    ],
)
def test_a_bad_corpus_image_is_refused_by_name(made, tmp_path, monkeypatch, workers, name, data, message):
    """Nothing stands in for it, and no feature store is written."""
    if data is not None:
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good.png").write_bytes(png(1))
    (tmp_path / "list.json").write_text(json.dumps(["good.png", name]))
    paths = {"list": tmp_path / "list.json", "images": tmp_path}
    with pytest.raises(DaitirError, match=message):
        call(made, "corpus", tmp_path / "c.h5", monkeypatch, record_of(made), {"workers": workers}, **paths)
    assert not (tmp_path / "c.h5").exists()


def test_a_damaged_generated_picture_is_refused_by_its_key(made, tmp_path, monkeypatch):
    """Shard and key are named."""
    write_shard(tmp_path / "i.tar", [Picture("d0_r0_k1", b"oops", "png", {})], {})
    with pytest.raises(DaitirError, match=r"i\.tar, d0_r0_k1 is not an image"):
        call(made, "pictures", tmp_path / "p.h5", monkeypatch, record_of(made), shard=tmp_path / "i.tar")


def test_missing_paths_are_asked_for(made, tmp_path, monkeypatch, capsys):
    """What is encoded says which paths it needs."""
    with pytest.raises(SystemExit):
        call(made, "corpus", tmp_path / "c.h5", monkeypatch, record_of(made), list=made / "corpus.json")
    assert "corpus needs --list and --images" in capsys.readouterr().err


@pytest.fixture
def many(made, tmp_path, monkeypatch):
    """More pictures than are prepared here, in a folder and its folders; processes take the others."""
    monkeypatch.setattr(ahead, "MOST", 8)
    monkeypatch.setattr(ahead, "count_cores", lambda: 4)
    names = [f"{number % 3}/{number:02d}.png" for number in range(40)]
    for number, name in enumerate(names):
        (tmp_path / "many" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "many" / name).write_bytes(png(number))
    (tmp_path / "list.json").write_text(json.dumps(names))
    return {"list": tmp_path / "list.json", "images": tmp_path / "many"}, names


def test_store_is_the_same_however_its_images_are_read(made, many, tmp_path, monkeypatch):
    """Under every number of processes and every batch size; each feature is that of its own image."""
    paths, names = many
    ways = [{"workers": w, "batch_size": b} for w, b in [(0, 64), (1, 5), (2, 16), (3, 17)]]
    stores = {
        call(made, "corpus", tmp_path / "a.h5", monkeypatch, record_of(made), way, **paths) for way in ways
    }
    assert len(stores) == 1
    options = encode.EncodeOptions.model_validate(record_of(made) | {"code": ""}).encoder
    encoder = encode.load_encoder(options)
    rows = [encoder.read_pixels((paths["images"] / name).read_bytes(), name) for name in names]
    alone = np.concatenate([encoder.encode_pixels([row]) for row in rows])
    assert np.array_equal(read_features(tmp_path / "a.h5").rows(names), alone)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("place", [0, 7, 8, 20, 39])
def test_a_damaged_image_among_many_is_refused_by_its_name(made, many, tmp_path, monkeypatch, workers, place):
    """Wherever it stands among those that a process takes at once; no store is left."""
    paths, names = many
    (paths["images"] / names[place]).write_bytes(png(0)[:-100])
    with pytest.raises(DaitirError, match=rf"many/{names[place]} is damaged or cut short"):
        call(
            made,
            "corpus",
            tmp_path / "a.h5",
            monkeypatch,
            record_of(made),
            {"workers": workers},
            **paths,
        )
    assert not (tmp_path / "a.h5").exists()
