"""Stand-ins bear the names of a real corpus."""

import json

import pytest
from PIL import Image

from daitir.errors import DaitirError
from daitir.mini.stand_ins import make

NAMES = [f"photos/{number:03d}.jpg" for number in range(40)]


def sources(folder, names=NAMES, targets=NAMES[::4]):
    (folder / "names.json").write_text(json.dumps(names))
    entries = [{"img": name, "dialog": ["a photo", "is it old? no"]} for name in targets]
    (folder / "d.json").write_text(json.dumps(entries))
    return folder / "names.json", folder / "d.json"


def made(folder, output, limit=4, candidates=12, **others):
    make(*sources(folder, **others), limit, candidates, folder / output)
    return {p.relative_to(folder / output): p.read_bytes() for p in (folder / output).rglob("*.*")}


def corpus(folder, output):
    return json.loads((folder / output / "corpus.json").read_text())


def test_corpus_holds_the_targets_and_others(tmp_path):
    """In the order of the real list, with a picture each and no two alike; the list has a seal."""
    files = made(tmp_path, "out", limit=None)
    names = corpus(tmp_path, "out")
    assert len(names) == 12
    assert set(NAMES[::4]) < set(names)
    assert names == sorted(names)
    assert len(files) == len(set(files.values())) == 2 + 12
    for name in names:
        picture = Image.open(tmp_path / "out" / "images" / name)
        assert (picture.format, picture.size) == ("JPEG", (48, 48))


def test_stand_ins_are_the_same_each_time(tmp_path):
    """Also over what was made before, from a list in another order, and in a larger corpus."""
    first, second = made(tmp_path, "a"), made(tmp_path, "b", candidates=20)
    assert made(tmp_path, "b") == first
    turned = made(tmp_path, "c", names=NAMES[::-1])
    pictures = [
        {path: data for path, data in files.items() if path.suffix == ".jpg"} for files in (first, turned)
    ]
    assert pictures[0] == pictures[1]
    assert pictures[0].items() < second.items()


@pytest.mark.parametrize("candidates", [3, 41])
def test_impossible_size_is_refused(tmp_path, candidates):
    """Fewer than the targets, more than the names."""
    with pytest.raises(DaitirError, match=r"is not between the 4 targets and the 40 names of .*names.json"):
        made(tmp_path, "out", candidates=candidates)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"targets": ["photos/x.jpg"]}, "1 of 1 targets are not in .*names.json"),
        ({"names": [*NAMES[:-1], "../x.jpg"]}, "'../x.jpg' leaves its folder"),
    ],
)
def test_name_that_does_not_fit_is_refused(tmp_path, others, message):
    """A target outside the list, a picture outside the folder; no corpus is left behind."""
    with pytest.raises(DaitirError, match=message):
        made(tmp_path, "out", limit=1, candidates=40 if "names" in others else 1, **others)
    assert not (tmp_path / "out" / "corpus.json").exists()
    assert not (tmp_path / "out" / "images").exists()
