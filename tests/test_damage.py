"""Damage: whatever happens to a file, its reader names it, or returns what was written."""

import json
from random import Random

import h5py
import numpy as np
import pytest

from daitir.errors import DaitirError
from daitir.features import read_features
from daitir.ranks import read_ranks
from daitir.seals import IN_MODEL
from tests.damaged_files import FOLDER, KINDS, RECORD, features, ranks, sum_up
from tests.faults.ledger import record

FLIPS = 40


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def path(kind, tmp_path_factory):
    """A whole file of its kind at its place."""
    found = tmp_path_factory.mktemp("whole") / "results" / kind.own
    kind.write(found, 0)
    return found


@pytest.fixture
def damaged(path):
    """Return a function that writes other bytes to the file; the file is whole again afterwards."""
    whole = path.read_bytes()
    yield path.write_bytes
    path.write_bytes(whole)


def refusal(kind, path):
    """Return the one line that the file is refused with, or None if it is read as it was written."""
    whole, said = path.with_name("whole").read_text(), None
    try:
        assert repr(kind.read(path)) == whole, "another value was read"
    except DaitirError as error:
        said = str(error)
    assert said is None or (path.name in said and "\n" not in said)
    return said


@pytest.fixture(autouse=True)
def undamaged(request):
    """Note what the whole file says."""
    if "path" in request.fixturenames:
        kind, path = request.getfixturevalue("kind"), request.getfixturevalue("path")
        path.with_name("whole").write_text(repr(kind.read(path)))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(kind, path, damaged, share):
    """Emptied, or cut anywhere: it is refused by its name."""
    whole = path.read_bytes()
    damaged(whole[: int(len(whole) * share)])
    assert refusal(kind, path)
    record("a file cut short or emptied")


def test_no_flipped_bit_changes_what_is_read(kind, path, damaged):
    """A flipped bit anywhere: the file is refused by its name, or the bit was in nothing that is read."""
    whole, random = path.read_bytes(), Random(0)
    places = {0, 1, len(whole) - 1, *(random.randrange(len(whole)) for _ in range(FLIPS))}
    found = []
    for place in sorted(places):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << random.randrange(8)
        damaged(flipped)
        found.append(refusal(kind, path))
    assert any(found)
    record("a flipped bit in a file", len(found))


def test_a_stretch_of_zeros_is_found(kind, path, damaged):
    """A block that never reached the disk reads as zeros."""
    whole = path.read_bytes()
    for share in (0.2, 0.5, 0.8):
        start = int(len(whole) * share)
        damaged(whole[:start] + bytes(min(64, len(whole) - start)) + whole[start + 64 :])
        refusal(kind, path)
        record("a block of zeros in a file")


def test_a_file_in_the_place_of_another_is_refused(kind, path, damaged):
    """Whole, but another component's: it says what it was made as."""
    results = next(parent for parent in path.parents if parent.name == "results")
    other = results / kind.other
    kind.write(other, 1)
    damaged(other.read_bytes())
    assert refusal(kind, path)
    record("a file in the place of another component's")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", IN_MODEL])
@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "gone", "more"])
def test_a_damaged_model_directory_is_refused(tmp_path, name, harm):
    """Every file of a tuned encoder counts, and so does one that nobody wrote."""
    folder = tmp_path / FOLDER.own
    FOLDER.write(folder, 0)
    file = folder / name
    whole = file.read_bytes()
    middle = len(whole) // 2
    harms = {"cut": whole[:-9], "empty": b"", "flip": whole[:middle] + b"~" + whole[middle + 1 :]}
    if harm == "gone":
        file.unlink()
    elif harm == "more":
        (folder / f"{name}.more").write_bytes(whole)
    else:
        file.write_bytes(harms[harm])
    with pytest.raises(DaitirError, match=r"seed-0/model"):
        FOLDER.read(folder)
    record("a damaged model directory")


def test_the_model_directory_of_another_seed_is_refused(tmp_path):
    """A tuned encoder in the place of another says which it is."""
    FOLDER.write(tmp_path / FOLDER.other, 1)
    (tmp_path / FOLDER.other).rename(tmp_path / "encoders" / "e" / "moved")
    (tmp_path / FOLDER.own).parent.mkdir()
    (tmp_path / "encoders" / "e" / "moved").rename(tmp_path / FOLDER.own)
    with pytest.raises(DaitirError, match=r"was made as encoders/e/seed-1/model"):
        FOLDER.read(tmp_path / FOLDER.own)


def test_a_feature_that_became_nan_is_named(tmp_path):
    """A store that somebody else wrote into is refused by the key."""
    path = tmp_path / "features" / "a" / "corpora" / "c.h5"
    features(path, 0)
    with h5py.File(path, "r+") as store:
        store["features"][7, 3] = np.nan
    sum_up(path)
    with pytest.raises(DaitirError, match=r"c\.h5: 1 of 50 features .*'key-007'"):
        read_features(path)
    record("features with a NaN")


def test_an_unsealed_file_says_what_to_do(tmp_path):
    """What an older daitir wrote, or somebody else, is not trusted and says so."""
    path = tmp_path / "c.h5"
    features(path, 0)
    with h5py.File(path, "r+") as store:
        store.attrs["provenance"] = json.dumps(RECORD)
    sum_up(path)
    with pytest.raises(DaitirError, match="no seal: an older daitir wrote it; remove it and run again"):
        read_features(path)


def test_a_results_folder_may_be_moved(tmp_path):
    """The place of a file is the one in its results folder, wherever that lies."""
    path = tmp_path / "one" / "ranks" / "text" / "a.parquet"
    ranks(path, 0)
    (tmp_path / "one").rename(tmp_path / "two")
    assert len(read_ranks(tmp_path / "two" / "ranks" / "text" / "a.parquet")) == 36
