"""Files are finished or absent."""

import pytest

from daitir.files import atomic, digest_model, digest_text


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


def test_of_a_huge_file_blocks_are_read(tmp_path, monkeypatch):
    """Of three blocks of four bytes a change at the end or in the middle counts, one between does not."""
    monkeypatch.setattr("daitir.files.WHOLE_DIGEST_LIMIT", 10)
    monkeypatch.setattr("daitir.files.BLOCK", 4)
    monkeypatch.setattr("daitir.files.BLOCKS", 3)
    texts = ("head....body....tail", "head....body....tale", "head....bodi....tail", "head./..body....tail")
    for number, text in enumerate(texts):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "model.safetensors").write_text(text)
    one, end, middle, between = (digest_model(tmp_path / str(number)) for number in range(4))
    assert len({one, end, middle}) == 3
    assert between == one
