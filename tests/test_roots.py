"""Names from files of others lead to a file inside their folder, or nowhere."""

import os

import pytest

from daitir.errors import DaitirError
from daitir.roots import LARGEST_IMAGE, LINKS, allow_links, inside, require_no_twins
from tests.faults.ledger import record


@pytest.fixture(autouse=True)
def no_links(monkeypatch):
    monkeypatch.setenv(LINKS, "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../secret.png", "leaves its folder"),
        ("a/../../secret.png", "leaves its folder"),
        ("a/../b.png", "leaves its folder"),
        ("/etc/passwd", "leaves its folder"),
        ("C:/secret.png", "leaves its folder"),
        ("C:secret.png", "leaves its folder"),
        (r"\\server\secret.png", "leaves its folder"),
        (r"..\secret.png", "has a backslash"),
        (r"a\b.png", "has a backslash"),
        ("a\0.png", "names no file"),
        ("a\n.png", "names no file"),
        ("", "names no file"),
        (" ", "names no file"),
        (".", "names no file"),
        ("./", "names no file"),
        ("a" * 256, "too long"),
        ("é" * 128, "too long"),
        ("a/" * 600 + "b.png", "too long"),
    ],
)
def test_name_that_leads_out_or_nowhere_is_refused(tmp_path, name, message):
    """In one line, by the name."""
    with pytest.raises(DaitirError, match=message) as caught:
        inside(tmp_path, name, "corpus.json")
    assert len(str(caught.value)) < 500
    record("a path that leaves its folder")


@pytest.mark.parametrize(
    "name", ["sub/a..b.png", "a b.png", "..a.png", "é" * 127, "ab:c.png", "~/a.png", "$HOME"]
)
def test_name_inside_its_folder_is_taken_as_it_is(tmp_path, name):
    """Nothing in it is expanded."""
    assert inside(tmp_path, name, "corpus.json") == tmp_path / name


@pytest.fixture
def linked(tmp_path):
    """A folder with a picture, and with links: to that, and to a file and a folder elsewhere."""
    root, disk = tmp_path / "coco", tmp_path / "disk"
    for folder in (root, disk):
        folder.mkdir()
    (root / "a.jpg").write_bytes(b"a")
    (disk / "b.jpg").write_bytes(b"b")
    (root / "same.jpg").symlink_to("a.jpg")
    (root / "b.jpg").symlink_to(disk / "b.jpg")
    (root / "up.jpg").symlink_to("../disk/b.jpg")
    (root / "val2014").symlink_to(disk)
    (root / "chain").symlink_to("val2014")
    return root


OUT = ["b.jpg", "up.jpg", "val2014/b.jpg", "chain/b.jpg"]


@pytest.mark.parametrize("name", OUT)
def test_link_out_of_the_folder_is_refused(linked, name):
    """An archive unpacked there may have brought it."""
    with pytest.raises(DaitirError, match=r"is a link out of its folder .*/coco to .*/disk/b.jpg: put"):
        inside(linked, name, "corpus.json")
    record("a path that leaves its folder")


@pytest.mark.parametrize("name", OUT)
def test_link_to_a_folder_that_the_config_allows_is_followed(linked, name):
    """COCO may lie on another disk, or be kept by git-annex or DVC."""
    allow_links([linked.parent / "disk"])
    assert inside(linked, name, "corpus.json").read_bytes() == b"b"
    allow_links([linked.parent / "dis"])
    with pytest.raises(DaitirError, match="is a link out of its folder"):
        inside(linked, name, "corpus.json")


def test_link_inside_the_folder_is_followed(linked):
    """And so is one that is the folder itself: the user named it."""
    assert inside(linked, "same.jpg", "corpus.json").read_bytes() == b"a"
    (linked.parent / "images").symlink_to(linked)
    assert inside(linked.parent / "images", "a.jpg", "corpus.json").read_bytes() == b"a"


def test_link_in_a_circle_is_missed_as_a_file_is(linked):
    """It ends nowhere, and nobody waits."""
    (linked / "one").symlink_to("two")
    (linked / "two").symlink_to("one")
    assert not inside(linked, "one", "corpus.json").exists()


def test_pipe_is_not_waited_for(linked):
    """Nor is a device read, which never ends."""
    os.mkfifo(linked / "pipe.png")
    (linked / "zero.png").symlink_to("/dev/zero")
    allow_links(["/dev"])
    for name in ("pipe.png", "zero.png"):
        with pytest.raises(DaitirError, match="is no file but a device, a pipe or a socket"):
            inside(linked, name, "corpus.json")


def test_absurdly_large_file_is_refused_unread(linked):
    """A file with a hole takes no room on the disk and all of the memory."""
    with (linked / "hole.png").open("wb") as file:
        file.truncate(LARGEST_IMAGE + 1)
    with pytest.raises(DaitirError, match=r"hole\.png is absurdly large"):
        inside(linked, "hole.png", "corpus.json")


def test_two_spellings_of_one_file_are_refused():
    """Accents in two ways, slashes and dots; letters that only look alike are two names."""
    for twins in (["\u00e9.jpg", "e\u0301.jpg"], ["a/b.jpg", "a//b.jpg"], ["a/b.jpg", "./a/b.jpg"]):
        with pytest.raises(DaitirError, match="two spellings of one file"):
            require_no_twins(twins, "corpus.json")
    require_no_twins(["a.jpg", "\u0430.jpg", "A.jpg"], "corpus.json")
