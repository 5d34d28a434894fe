import io
import json
import sys

import pytest
from PIL import Image

from daitir.dialogues import Dialogue, write_dialogues
from daitir.errors import DaitirError
from daitir.files import digest_bytes
from daitir.queries import Query, write_queries
from daitir.shards import read_shard, shard_provenance
from daitir.stages import generate

DIALOGUES = [
    Dialogue("d7", "unlabeled2017/7.jpg", ("a star", "is it red? yes"), 7),
    Dialogue("d12", "unlabeled2017/12.jpg", ("a tree", "is it big? no"), 12),
]
QUERIES = [
    Query(dialogue.dialogue_id, round_, "star", ("star",)) for dialogue in DIALOGUES for round_ in (0, 1)
]
NAMES = ["12_0.jpg", "12_1.jpg", "7_0.jpg", "7_1.jpg"]  # in the order of the pictures' keys
KEYS = ["d12_r0_k1", "d12_r1_k1", "d7_r0_k1", "d7_r1_k1"]


@pytest.fixture
def made(tmp_path):
    """Queries, dialogues and published pictures, each of its own colour."""
    write_dialogues(tmp_path / "d.parquet", DIALOGUES, {"stage": "test"})
    write_queries(tmp_path / "q.parquet", QUERIES, {"stage": "test"})
    for number, name in enumerate(NAMES):
        draw(tmp_path / "pictures" / name, number)
    return tmp_path


def draw(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 12), (number * 20, 90, 200)).save(path)


def record_of(**options):
    return {"code": "revision-1", "digests": {}, "generator": {"kind": "released"} | options}


def call(made, monkeypatch, record=None, **paths):
    """Run the stage as the workflow does."""
    arguments = {"queries": made / "q.parquet", "dialogues": made / "d.parquet", "folder": made / "pictures"}
    arguments |= {"options": json.dumps(record or record_of()), "output": made / "i.tar"} | paths
    line = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["generate", *line])
    generate.main()
    return made / "i.tar"


def test_published_pictures_are_linked(made, monkeypatch):
    """The shard gives back the bytes of the files and holds none of them; the records have their digests."""
    shard = call(made, monkeypatch)
    pictures = list(read_shard(shard))
    assert [picture.key for picture in pictures] == KEYS
    for picture, name in zip(pictures, NAMES, strict=True):
        data = (made / "pictures" / name).read_bytes()
        assert (picture.data, picture.format, picture.link) == (data, "jpg", made / "pictures" / name)
        assert picture.meta == {"k": 1, "digest": digest_bytes([data]), "options": record_of()}
        assert data not in shard.read_bytes()
        assert Image.open(io.BytesIO(picture.data)).size == (12, 12)
    who = shard_provenance(shard)
    assert (who["stage"], who["options"], sorted(who["inputs"])) == (
        "generate",
        record_of(),
        ["pictures", "queries"],
    )


def test_the_same_pictures_are_the_same_shard(made, monkeypatch):
    """Byte for byte; another picture is another input."""
    first = call(made, monkeypatch).read_bytes()
    assert call(made, monkeypatch).read_bytes() == first
    inputs = shard_provenance(made / "i.tar")["inputs"]
    draw(made / "pictures" / "7_0.jpg", 9)
    assert shard_provenance(call(made, monkeypatch))["inputs"]["pictures"] != inputs["pictures"]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("round{round}/train-{stem}_{round}.jpg", "round1/train-12_1.jpg"),
        ("{target}.{round:02d}.webp", "unlabeled2017/12.jpg.01.webp"),
        ("{dialogue_id}/{k}_{round}_{place:05d}.jpeg", "d12/1_1_00012.jpeg"),
    ],
)
def test_a_pattern_names_the_pictures(made, monkeypatch, pattern, name):
    """Folders, padded numbers and other formats."""
    names = {"place": (7, 12), "stem": ("7", "12"), "target": ("unlabeled2017/7.jpg", "unlabeled2017/12.jpg")}
    for at, id_ in enumerate(("d7", "d12")):
        for round_ in (0, 1):
            fields = {field: values[at] for field, values in names.items()}
            fields |= {"round": round_, "k": 1, "dialogue_id": id_}
            draw(made / "pictures" / pattern.format(**fields), 10 * at + round_)
    pictures = {p.key: p for p in read_shard(call(made, monkeypatch, record_of(pattern=pattern)))}
    assert pictures["d12_r1_k1"].link == made / "pictures" / name


def test_several_pictures_a_round_are_told_apart_by_k(made, monkeypatch):
    """The k of a name counts from 1."""
    for place in (7, 12):
        for k in (1, 2):
            draw(made / "pictures" / f"{place}-{k}.png", place + k)
    shard = call(made, monkeypatch, record_of(pattern="{place}-{k}.png", images=2))
    links = {picture.key: picture.link.name for picture in read_shard(shard)}
    assert len(links) == 8
    assert (links["d7_r1_k1"], links["d7_r1_k2"]) == ("7-1.png", "7-2.png")


def test_missing_pictures_are_counted_and_named(made, monkeypatch):
    """In one line, and nothing is written."""
    for name in ("12_0.jpg", "7_1.jpg"):
        (made / "pictures" / name).unlink()
    with pytest.raises(
        DaitirError, match=r"pictures lacks 2 of 4 pictures, the first are 12_0\.jpg, 7_1\.jpg:"
    ):
        call(made, monkeypatch)
    assert not (made / "i.tar").exists()


@pytest.mark.parametrize(("data", "message"), [(b"no picture", "not an image"), (None, "cut short")])
def test_a_picture_that_cannot_be_decoded_is_refused(made, monkeypatch, data, message):
    """By its name, before anything is written; a file cut in the middle too."""
    path = made / "pictures" / "7_1.jpg"
    path.write_bytes(data or path.read_bytes()[:-200])
    with pytest.raises(DaitirError, match=rf"7_1\.jpg .*{message}"):
        call(made, monkeypatch)
    assert not (made / "i.tar").exists()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("../{place}_{round}.jpg", "leaves its folder"),
        ("/{place}_{round}.jpg", "leaves its folder"),
        ("{place}_{round}.txt", "no png, jpg or webp by its name"),
    ],
)
def test_a_pattern_stays_in_its_folder_and_names_pictures(made, monkeypatch, pattern, message):
    """Whatever lies elsewhere, or is called otherwise, is not read."""
    (made / "pictures" / "12_0.txt").write_text("no picture")
    for name in ("12_1.txt", "7_0.txt", "7_1.txt"):
        (made / "pictures" / name).touch()
    with pytest.raises(DaitirError, match=message):
        call(made, monkeypatch, record_of(pattern=pattern))


def test_a_dialogue_without_a_place_has_no_picture_named_by_it(made, monkeypatch):
    """Places come from the file of a dialogue set; not every format has them."""
    placeless = [Dialogue(d.dialogue_id, d.target, d.turns) for d in DIALOGUES]
    write_dialogues(made / "d.parquet", placeless, {"stage": "test"})
    with pytest.raises(DaitirError, match="dialogue d12 has no place in its file"):
        call(made, monkeypatch)


def test_queries_of_other_dialogues_are_refused(made, monkeypatch):
    """A mix of two dialogue sets."""
    write_dialogues(made / "d.parquet", DIALOGUES[:1], {"stage": "test"})
    with pytest.raises(DaitirError, match="query d12_r0 belongs to none of the 1 dialogues"):
        call(made, monkeypatch)


def test_a_linked_picture_that_changed_or_is_gone_is_refused(made, monkeypatch):
    """By its name, when the shard is read."""
    shard = call(made, monkeypatch)
    draw(made / "pictures" / "12_1.jpg", 9)
    with pytest.raises(DaitirError, match=r"12_1\.jpg, the picture d12_r1_k1 of .*, has changed since"):
        list(read_shard(shard))
    assert [picture.key for picture in read_shard(shard, ["d7_r0_k1"])] == ["d7_r0_k1"]
    (made / "pictures" / "12_1.jpg").unlink()
    with pytest.raises(DaitirError, match=r"12_1\.jpg, the picture d12_r1_k1 of .*, is gone"):
        list(read_shard(shard))


def test_published_pictures_need_their_dialogues_and_folder(made, monkeypatch, capsys):
    """And drawn ones a scratch folder: the stage says so."""
    line = ["--options", json.dumps(record_of()), "--queries", "q", "--output", "o"]
    monkeypatch.setattr(sys, "argv", ["generate", *line])
    with pytest.raises(SystemExit):
        generate.main()
    assert "released needs --dialogues and --folder" in capsys.readouterr().err
