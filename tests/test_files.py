"""Files are finished or absent."""

import pytest

from daitir.errors import DaitirError
from daitir.files import atomic, digest_model, digest_text, inside, locked


def test_atomic_file_appears_with_its_content(tmp_path):
    """What was written stands under its name, and nothing else stays."""
    with atomic(tmp_path / "deep" / "a.txt") as partial:
        partial.write_text("whole")
    assert (tmp_path / "deep" / "a.txt").read_text() == "whole"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_failed_writing_leaves_the_former_file(tmp_path):
    """An error in the middle neither shows half a file nor loses the old one."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic(path) as partial:
        partial.with_name("nowhere").read_text()
    assert path.read_text() == "old"


def test_second_process_is_refused_a_scratch_folder(tmp_path):
    """A lock is held once."""
    refused = pytest.raises(DaitirError, match="another process works in")
    with locked(tmp_path / "scratch"), refused, locked(tmp_path / "scratch"):
        pass


def test_lock_is_free_after_use(tmp_path):
    """A folder can be locked again after the first has left."""
    for _ in range(2):
        with locked(tmp_path / "scratch"):
            pass


def test_border_between_texts_counts():
    """Digests of ("ab", "c") and ("a", "bc") differ."""
    assert digest_text("ab", "c") != digest_text("a", "bc")


def test_model_digest_follows_content_and_not_place(tmp_path):
    """A copy has the same digest, a changed weight another, a changed model card the same."""
    for name, weight in [("one", b"weights"), ("two", b"weights"), ("three", b"weightz")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(weight)
        (tmp_path / name / "README.md").write_text(f"card of {name}")
    one, two, three = (digest_model(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three


def test_change_at_the_end_of_a_huge_file_changes_the_digest(tmp_path, monkeypatch):
    """Of a huge file only the edges are read."""
    monkeypatch.setattr("daitir.files.WHOLE_DIGEST_LIMIT", 10)
    monkeypatch.setattr("daitir.files.EDGE", 4)
    for name, content in [
        ("one", b"head........tail"),
        ("two", b"head........tale"),
        ("three", b"head..//....tail"),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(content)
    one, two, three = (digest_model(tmp_path / name) for name in ("one", "two", "three"))
    assert one != two
    assert one == three


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png", "link/secret.png"])
def test_path_that_leaves_its_folder_is_refused(tmp_path, name):
    """Absolute names, dots and links out are refused by name."""
    root = tmp_path / "images"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(DaitirError, match="leaves its folder"):
        inside(root, name, "corpus.json")


def test_path_inside_its_folder_is_taken(tmp_path):
    """Sub-folders are fine."""
    assert inside(tmp_path, "sub/a.png", "corpus.json") == tmp_path / "sub" / "a.png"
