import io
from collections import Counter

import pytest
from PIL import Image

from daitir.dialogues import Dialogue
from daitir.encoders import load_encoder
from daitir.errors import DaitirError
from daitir.files import digest_bytes
from daitir.queries import Query
from daitir.shards import Picture, ShardPictures, write_shard
from daitir.tuning import DmclOptions
from daitir.tuning.data import ImageFiles, Round, Sample, Told, draw, join, one_round_each, split
from tests import tiny_encoders

DIALOGUES = [Dialogue("b", "2.png", ("x", "y")), Dialogue("a", "1.png", ("x", "y"))]
QUERIES = [Query("a", 0, "a0", ()), Query("a", 1, "a1", ()), Query("b", 1, "b1", ())]
PICTURES = {"a_r0_k1", "a_r0_k2", "a_r1_k1", "b_r1_k1"}
CORPUS = ["1.png", "2.png"]
TOLD = [
    Told("a", "1.png", (Round("a0", ("a_r0_k1", "a_r0_k2")), Round("a1", ("a_r1_k1",)))),
    Told("b", "2.png", (Round("b1", ("b_r1_k1",)),)),
]
RECIPE = {"kind": "dmcl", "dialogues": "d", "queries": "q", "images": "i"}


def png(size=(24, 24), colour=(9, 9, 9)):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


def test_dialogues_are_joined_with_what_was_made_of_them():
    """Sorted by name, each round that was asked, with as many images as it has."""
    assert join(DIALOGUES, QUERIES, PICTURES, CORPUS) == TOLD


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"queries": QUERIES[:2]}, "dialogue b has no query"),
        ({"dialogues": DIALOGUES[:1]}, "query a_r0 belongs to no dialogue"),
        ({"pictures": PICTURES - {"a_r1_k1"}}, "query a_r1 has no generated image"),
        ({"corpus": ["1.png"]}, r"target '2\.png' is not in the corpus"),
    ],
)
def test_what_does_not_fit_together_is_named(change, fault):
    """A gap is never filled."""
    given = {"dialogues": DIALOGUES, "queries": QUERIES, "pictures": PICTURES, "corpus": CORPUS} | change
    with pytest.raises(DaitirError, match=fault):
        join(**given)


def test_an_epoch_has_each_dialogue_once_and_every_round_in_turn():
    """One random round and image of each, other ones in other epochs, the same ones for the same seed."""
    epochs = [draw(TOLD, 0, epoch) for epoch in range(200)]
    assert all(Counter(sample.target for sample in epoch) == {"1.png": 1, "2.png": 1} for epoch in epochs)
    seen = Counter(sample.picture for epoch in epochs for sample in epoch)
    assert seen["b_r1_k1"] == 200
    assert 70 < seen["a_r1_k1"] < 130
    assert 30 < seen["a_r0_k1"] < 70
    assert 30 < seen["a_r0_k2"] < 70
    assert draw(TOLD, 0, 3) == epochs[3]
    assert [draw(TOLD, 1, epoch) for epoch in range(9)] != epochs[:9]


def test_epochs_are_compared_on_the_same_rounds():
    """A held-out dialogue has one round, drawn by its name, with its first image."""
    samples = one_round_each(TOLD)
    assert samples[0] in [Sample("a0", "a_r0_k1", "1.png"), Sample("a1", "a_r1_k1", "1.png")]
    assert samples[1] == Sample("b1", "b_r1_k1", "2.png")
    assert one_round_each(TOLD[::-1]) == samples[::-1]


def test_dialogues_about_one_image_fall_on_one_side():
    """A held-out image is in no training dialogue, and a larger share keeps those of a smaller."""
    told = [Told(f"d{number}", f"{number // 3}.png", ()) for number in range(90)]
    trained, held_out = split(told, 0.3)
    targets = {one.target for one in held_out}
    assert len(trained) + len(held_out) == 90
    assert not targets & {one.target for one in trained}
    assert targets < {one.target for one in split(told, 0.6)[1]}


def test_a_set_too_small_to_hold_out_is_refused():
    """Two dialogues on each side are the least."""
    with pytest.raises(DaitirError, match=r"held_out 0\.2 leaves"):
        split(TOLD, 0.2)


def test_pictures_of_shards_are_read_by_key(tmp_path):
    """Any of them, in any order, also one that lies in a published file; a changed file is refused."""
    (tmp_path / "published.png").write_bytes(png())
    link = {"digest": digest_bytes([png()])}
    write_shard(tmp_path / "0.tar", [Picture("a", b"one", "png", {}), Picture("c", b"three", "jpg", {})], {})
    record = {"options": {"generator": {"kind": "released"}}}
    write_shard(tmp_path / "1.tar", [Picture("b", b"", "png", link, tmp_path / "published.png")], record)
    pictures = ShardPictures([tmp_path / "1.tar", tmp_path / "0.tar"])
    assert [pictures.read(key) for key in "cab"] == [b"three", b"one", png()]
    assert sorted(pictures.keys()) == ["a", "b", "c"]
    assert pictures.digest == ShardPictures([tmp_path / "0.tar", tmp_path / "1.tar"]).digest
    (tmp_path / "published.png").write_bytes(png(colour=(1, 2, 3)))
    with pytest.raises(DaitirError, match="has changed since"):
        pictures.read("b")
    with pytest.raises(DaitirError, match=r"picture a is in .*0\.tar and in .*0\.tar"):
        ShardPictures([tmp_path / "0.tar", tmp_path / "0.tar"])


def test_images_come_as_the_encoder_takes_them(tmp_path):
    """A generated image and a target of the same bytes are the same pixels; a missing one is named."""
    model = tiny_encoders.MAKERS["blip"](tmp_path / "blip")
    encoder = load_encoder(tiny_encoders.options_of("blip", model))
    (tmp_path / "1.png").write_bytes(png((30, 40)))
    write_shard(tmp_path / "0.tar", [Picture("a_r0_k1", png((30, 40)), "png", {})], {})
    files = ImageFiles(encoder, tmp_path / "corpus.json", tmp_path, ShardPictures([tmp_path / "0.tar"]))
    assert files.target("1.png").shape == (3, 24, 24)
    assert files.target("1.png").tolist() == files.picture("a_r0_k1").tolist()
    with pytest.raises(DaitirError, match=r"2\.png does not exist"):
        files.target("2.png")


def test_the_recipe_is_the_published_one():
    """What nobody changes is as DMCL has it."""
    options = DmclOptions.model_validate(RECIPE)
    assert (options.learning_rate, options.layer_decay, options.drop_path) == (1e-5, 0.9, 0.2)
    assert (options.weight_decay, options.clip, options.temperature) == (0.05, 3.0, 1.0)
    assert (options.epochs, options.warmup_epochs, options.batch, options.accumulation) == (50, 5, 128, 8)
    assert options.hard_negatives is None
    hard = DmclOptions.model_validate(RECIPE | {"hard_negatives": {}}).hard_negatives
    assert (hard.count, hard.margin, hard.temperature, hard.weight) == (4, 0.1, 0.1, 0.1)


@pytest.mark.parametrize(
    "change",
    [{"warmup_epochs": 50}, {"seeds": [1, 1]}, {"seeds": [-1]}, {"batch": 1}, {"hard": {}}],
)
def test_recipes_that_cannot_be_are_refused(change):
    """A warm-up without an end, equal seeds, one pair without negatives, a key that there is not."""
    with pytest.raises(DaitirError):
        DmclOptions.parse(RECIPE | change, "tune")
