"""A corpus is a list of different names, written by others or made from a folder."""

import json
import os
import subprocess
import sys

import pytest

from daitir.corpora import read_corpus, write_corpus
from daitir.errors import DaitirError
from daitir.stages.list_corpus import run


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not a JSON list"),
        ("[1]", "not a JSON list"),
        ('{"a.jpg": 1}', "not a JSON list"),
        ('["a", "b", "a"]', r"holds 1 names twice, the first is 'a' \(entry 0 and entry 2\)"),
        ('["a", " "]', "entry 1: ' ' names no file"),
        (r'["a\u0000.jpg"]', "entry 0: .* names no file"),
        ('["a.jpg", "../b.jpg"]', r"entry 1: '\.\./b.jpg' leaves its folder"),
        ('["/etc/passwd"]', "entry 0: '/etc/passwd' leaves its folder"),
        ('["C:/b.jpg"]', "entry 0: 'C:/b.jpg' leaves its folder"),
        (r'["val\\b.jpg"]', "entry 0: .* has a backslash: write `/`"),
        (f'["{"a" * 300}.jpg"]', "entry 0: .* is too long for a file"),
        (r'["\u00e9.jpg", "e\u0301.jpg"]', r"'\\xe9.jpg' and 'e\\u0301.jpg' are two spellings of one file"),
        ('["a/b.jpg", "a//b.jpg"]', "'a/b.jpg' and 'a//b.jpg' are two spellings of one file"),
        (r'["a\ud800.jpg"]', "entry 0 holds .* half a character"),
    ],
)
def test_bad_corpus_list_is_refused(tmp_path, content, message):
    """The error says what is wrong and where."""
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(DaitirError, match=message):
        read_corpus(tmp_path / "c.json")


@pytest.mark.parametrize(
    ("name", "message"), [("none.json", "does not exist: mend `list:`"), ("", "is a folder, not a file")]
)
def test_corpus_list_that_is_no_file_is_refused(tmp_path, name, message):
    """Neither a path to nothing nor a folder is a list."""
    with pytest.raises(DaitirError, match=message):
        read_corpus(tmp_path / name)


def test_corpus_list_that_is_no_text_is_refused(tmp_path):
    """A file in another encoding is not guessed at."""
    (tmp_path / "c.json").write_bytes('["é.jpg"]'.encode("latin-1"))
    with pytest.raises(DaitirError, match="is not UTF-8 text"):
        read_corpus(tmp_path / "c.json")


def test_corpus_is_read_as_it_was_written(tmp_path):
    """Names keep their letters and their order."""
    names = ["b/é.jpg", "a b.png", 'quote".webp']
    write_corpus(tmp_path / "c.json", names)
    assert read_corpus(tmp_path / "c.json") == names


def picture_folder(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_folder_is_listed_whole_and_sorted(tmp_path, capsys):
    """All images below the folder, whatever the case of their endings; no hidden ones, no other files."""
    names = ["z.jpg", "b/c/2.JPEG", "b/1.png", "ü.WebP", "notes.txt", "jpg", ".hidden.jpg", ".thumbs/1.jpg"]
    images = picture_folder(tmp_path / "images", *names)
    run(images, tmp_path / "out" / "corpus.json")
    listed = json.loads((tmp_path / "out" / "corpus.json").read_text())
    assert listed == ["b/1.png", "b/c/2.JPEG", "z.jpg", "ü.WebP"]
    assert "4 images, 2 other files" in capsys.readouterr().out


def test_folder_without_images_is_refused(tmp_path):
    """An empty corpus is none, and neither is a folder that does not exist."""
    with pytest.raises(DaitirError, match=r"holds no image \(bmp, .*mend `images:`"):
        run(picture_folder(tmp_path / "images", "notes.txt"), tmp_path / "corpus.json")
    with pytest.raises(DaitirError, match="is no folder"):
        run(tmp_path / "none", tmp_path / "corpus.json")
    assert not (tmp_path / "corpus.json").exists()


def test_file_name_that_is_no_text_is_refused(tmp_path):
    """Such a name could not be written into the list."""
    images = picture_folder(tmp_path / "images", "a.jpg")
    (images / os.fsdecode(b"\xff.jpg")).touch()
    with pytest.raises(DaitirError, match=r"holds b'\\xff.jpg', no valid text: rename the file"):
        run(images, tmp_path / "corpus.json")


def test_link_to_a_folder_is_refused(tmp_path):
    """What lies behind it would be left out in silence."""
    images = picture_folder(tmp_path / "images", "a.jpg")
    (images / "more").symlink_to(picture_folder(tmp_path / "elsewhere", "b.jpg"))
    with pytest.raises(DaitirError, match="images/more is a link to a folder"):
        run(images, tmp_path / "corpus.json")


def test_folder_is_listed_from_the_command_line(tmp_path):
    """The stage has paths and no options."""
    images = picture_folder(tmp_path / "images", "a.jpg")
    command = [sys.executable, "-m", "daitir.stages.list_corpus", "--images", images]
    subprocess.run([*command, "--output", tmp_path / "corpus.json"], check=True, capture_output=True)
    assert read_corpus(tmp_path / "corpus.json") == ["a.jpg"]
