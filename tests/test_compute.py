import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BlipForImageTextRetrieval

from daitir import compute
from daitir.errors import DaitirError
from tests import tiny


def test_batches_are_full_but_the_last():
    """Five items in twos."""
    assert list(compute.batches([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]


@pytest.mark.parametrize(
    ("items", "size", "device", "rows"),
    [
        ([1, 2], 8, "cuda", [1, 2, 2, 2, 2, 2, 2, 2]),  # one shape on an accelerator
        ([1, 2], 8, "cpu", [1, 2, 2, 2]),  # four rows and more are alike on the CPU
        ([1], 1, "cpu", [1, 1, 1, 1]),
        ([1, 2, 3, 4, 5], 8, "cpu", [1, 2, 3, 4, 5]),
    ],
)
def test_a_batch_is_filled_up_with_its_last_item(items, size, device, rows):
    """The rows that are computed."""
    assert compute.pad_batch(items, size, device) == rows


def test_texts_of_one_padded_length_share_batches():
    """Lengths 1 to 4 become 4, 5 to 8 become 8; the longest come first."""
    assert list(compute.by_padded_length([1, 8, 4, 5, 3], step=4, size=2)) == [[1, 3], [0, 2], [4]]


@pytest.mark.parametrize(("length", "padded"), [(1, 8), (8, 8), (9, 16)])
def test_padded_length(length, padded):
    """The next multiple."""
    assert compute.padded_length(length, 8) == padded


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    """No quiet fall back to the CPU when another device is asked for."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DaitirError, match="'cuda' is asked for and not there"):
        compute.find_device("cuda")
    assert compute.find_device("cpu") == "cpu"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda weights: weights.pop("vision_proj.weight"),
            "1 weights are missing or of another shape, the first is vision_proj.weight",
        ),
        (lambda weights: weights.update({"text_proj.bias": torch.zeros(3)}), "text_proj.bias"),
    ],
)
def test_weights_that_do_not_fill_the_model_are_refused(tmp_path, damage, message):
    """A missing weight would be random, one of another shape would too."""
    file = tiny.blip(tmp_path / "blip") / "model.safetensors"
    weights = load_file(file)
    damage(weights)
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(DaitirError, match=message):
        compute.load_weights(BlipForImageTextRetrieval, str(tmp_path / "blip"))


def test_a_model_that_is_not_there_is_one_line(tmp_path):
    """The libraries' long messages become one sentence with what to do."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "blip"}))
    with pytest.raises(DaitirError, match="cannot be loaded") as caught:
        compute.load_weights(BlipForImageTextRetrieval, str(tmp_path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
