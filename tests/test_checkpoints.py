"""A checkpoint comes back as it was written, or not at all."""

import random

import pytest
import torch

from daitir.checkpoints import read_checkpoint, write_checkpoint
from daitir.errors import DaitirError
from tests.bad_input.calls import RunsCode

STATE = {"network": {"weight": torch.arange(200.0)}, "history": [{"epoch": 1, "loss": 0.5}], "average": None}


def test_a_checkpoint_comes_back(tmp_path):
    """Tensors and plain values, the same bytes each time."""
    write_checkpoint(tmp_path / "checkpoint.pt", STATE)
    found = read_checkpoint(tmp_path / "checkpoint.pt")
    assert torch.equal(found.pop("network")["weight"], STATE["network"]["weight"])
    assert found == {"history": STATE["history"], "average": None}


def test_no_flipped_bit_of_a_checkpoint_is_trained_on(tmp_path):
    """Nor one that is cut short, at any place."""
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, STATE)
    whole, rng = path.read_bytes(), random.Random(0)
    for _ in range(200):
        place = rng.randrange(len(whole))
        flipped = bytes([whole[place] ^ 1 << rng.randrange(8)])
        for harmed in (whole[:place] + flipped + whole[place + 1 :], whole[:place]):
            path.write_bytes(harmed)
            with pytest.raises(DaitirError, match=r"checkpoint\.pt is damaged: remove it"):
                read_checkpoint(path)


def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch):
    """It holds weights and plain values; a digest is no proof of who wrote it."""
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "checkpoint.pt", {"network": RunsCode()})
    with pytest.raises(DaitirError, match="holds more than weights, and is not run"):
        read_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "was-run").exists()
