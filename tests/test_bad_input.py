"""Every row of docs/bad-input.md is provoked, and what is said is what the table says."""

import errno
import re
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from daitir.features import write_features
from daitir.files import write_text
from daitir.shards import Picture, write_shard
from daitir.tables import write_table
from daitir.weights import write_weights
from tests.bad_input import (
    analyses,
    data,
    disk,
    encoding,
    explorer,
    pictures,
    queries,
    ranks,
    settings,
    tools,
    trust,
)
from tests.bad_input.calls import CASES, Models, Place

PAGE = Path(__file__).parents[1] / "docs" / "bad-input.md"
# Each enters its cases.
MODULES = (analyses, data, disk, encoding, explorer, pictures, queries, ranks, settings, tools, trust)


def rows_of(page):
    """Return the rows of all tables of a page: (where, what is wrong) -> what is said."""
    lines = [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in page.splitlines() if line.startswith("|")]
    cells = [row for row in lines if row[0] != "what is wrong" and not row[0].startswith("---")]
    rows = {(where, wrong): said.replace(r"\|", "|") for wrong, where, said in cells}
    assert len(rows) == len(cells), "a row stands twice"
    return rows


TABLE = rows_of(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return Models(tmp_path_factory.mktemp("models"))


def is_passing(name):
    """Whether a file looks like no output: hidden, or in a scratch folder."""
    return any(part.startswith(".") or part == "scratch" for part in Path(name).parts)


def test_the_table_has_a_row_for_each_case():
    """And a case for each row."""
    assert sorted(TABLE) == sorted(CASES)


@pytest.mark.parametrize(("program", "wrong"), CASES)
def test_bad_input_is_refused(program, wrong, models, tmp_path, monkeypatch):
    """One line, as in the table; no output stands, and nothing that stood before is lost or changed."""
    with ExitStack() as open_:
        place = Place(tmp_path, models, monkeypatch, open_)
        asked = CASES[program, wrong](place)
        before = place.files()
        said = asked.refusal(program, monkeypatch)
    after = place.files()
    expected = ".*".join(re.escape(part) for part in TABLE[program, wrong].split("..."))
    assert re.fullmatch(f"error: {expected}", said), said
    changed = [name for name, data in before.items() if after.get(name) != data]
    assert [name for name in changed if not name.endswith(".partial")] == []
    assert [name for name in after.keys() - before.keys() if not is_passing(name)] == []
    if asked.keeps is not None:
        assert any(fnmatch(name, asked.keeps) for name in after), sorted(after)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_text(path, "text"),
        lambda path: write_table(path, pa.table({"a": [1]}), {}),
        lambda path: write_features(path, ["a"], np.eye(1, 4), {}),
        lambda path: write_weights(path, {"a": torch.ones(3)}, {}),
        lambda path: write_shard(path, [Picture("a", b"data", "png", {})], {}),
    ],
    ids=["text", "parquet", "hdf5", "safetensors", "tar"],
)
def test_every_writer_names_its_file_when_the_disk_is_full(tmp_path, write):
    """Each library has words of its own; what comes out is the system's error, with the name of the file."""
    (tmp_path / ".out.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        write(tmp_path / "out")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
