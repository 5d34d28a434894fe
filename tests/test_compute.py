import ctypes
import json
import platform
from pathlib import Path

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


def test_portions_hold_full_batches_of_near_texts():
    """What fills no batch waits for the next portion, and goes first there; the last takes the rest."""
    lengths = [1, 8, 4, 3, 2, 8, 1, 5]
    assert list(compute.batches_in_portions(lengths, step=4, size=2, portion=4)) == [
        [[0, 2]],
        [[1, 5], [7], [3, 4], [6]],
    ]
    assert list(compute.batches_in_portions([], step=4, size=2, portion=4)) == []


@pytest.mark.parametrize("portion", [2, 7, 100])
def test_portions_make_no_more_batches(portion):
    """Every text once, and as many batches as of all texts together."""
    lengths = [place * 7 % 23 + 1 for place in range(61)]
    found = [batch for one in compute.batches_in_portions(lengths, 4, 3, portion) for batch in one]
    assert sorted(place for batch in found for place in batch) == list(range(61))
    assert len(found) == len(list(compute.by_padded_length(lengths, 4, 3)))


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
    "error",
    [torch.cuda.OutOfMemoryError("CUDA out of memory. Tried ..."), RuntimeError("MPS backend out of memory")],
)
def test_too_little_memory_is_one_line(error):
    """What needs it, where, and what to do; another fault stays as it is."""
    wanted = "^model tiny needs more memory than cuda has: lower `batch_size`$"
    with pytest.raises(DaitirError, match=wanted), compute.memory_of("tiny", "cuda", "lower `batch_size`"):
        raise error
    with pytest.raises(RuntimeError, match="another"), compute.memory_of("tiny", "cuda", "nothing"):
        raise RuntimeError("another")


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


def only_bin(folder, weights):
    """Leave a model with its weights in ``pytorch_model.bin`` alone."""
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")


def test_weights_of_older_repositories_are_read(tmp_path):
    """A ``.bin`` with the same weights is the same model; what it computes by itself may stand there."""
    folder = tiny.blip(tmp_path / "blip")
    weights = load_file(folder / "model.safetensors")
    only_bin(folder, weights | {"text_encoder.embeddings.position_ids": torch.arange(64)[None]})
    loaded = compute.load_weights(BlipForImageTextRetrieval, str(folder)).state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in weights.items())
    del weights["text_proj.bias"]
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(DaitirError, match=r"1 weights are missing .*, the first is text_proj\.bias"):
        compute.load_weights(BlipForImageTextRetrieval, str(folder))


def test_safetensors_go_before_a_pickle(tmp_path):
    """Where both lie in a folder, the pickle is not even opened."""
    folder = tiny.blip(tmp_path / "blip")
    (folder / "pytorch_model.bin").write_bytes(b"damaged")
    compute.load_weights(BlipForImageTextRetrieval, str(folder))


class Foreign:
    """Code in a pickle, as an attacker would write it."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, legacy):
    """One line, and the file that the code would make is not there."""
    folder, mark = tiny.blip(tmp_path / "blip"), tmp_path / "ran"
    weights = load_file(folder / "model.safetensors")
    only_bin(folder, weights)
    torch.save(
        weights | {"extra": Foreign(mark)},
        folder / "pytorch_model.bin",
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(DaitirError, match=r"holds more than weights, and is not run \(Unsupported") as caught:
        compute.load_weights(BlipForImageTextRetrieval, str(folder))
    assert not mark.exists()
    assert "\n" not in str(caught.value)
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert mark.exists()  # it would have run


def test_a_model_that_is_not_there_is_one_line(tmp_path):
    """The libraries' long messages become one sentence with what to do."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "blip"}))
    with pytest.raises(DaitirError, match="cannot be loaded") as caught:
        compute.load_weights(BlipForImageTextRetrieval, str(tmp_path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("section", "setting"),
    [
        ("text_config", {"hidden_size": "16"}),
        ("vision_config", 3),
        ("text_config", {"num_attention_heads": 0}),
    ],
)
def test_a_setting_of_another_type_is_one_line(tmp_path, section, setting):
    """A config that somebody edited, or another program wrote."""
    file = tiny.blip(tmp_path / "blip") / "config.json"
    config = json.loads(file.read_text())
    config[section] = config[section] | setting if isinstance(setting, dict) else setting
    file.write_text(json.dumps(config))
    with pytest.raises(DaitirError, match=r"model .*blip cannot be loaded \(") as caught:
        compute.load_weights(BlipForImageTextRetrieval, str(tmp_path / "blip"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("taken", "told"),
    [
        (1, {compute.M_MMAP_THRESHOLD: 2**25, compute.M_TRIM_THRESHOLD: 2**28}),
        (0, {compute.M_MMAP_THRESHOLD: 2**25}),
    ],
)
def test_the_allocator_is_told_to_keep_blocks(monkeypatch, taken, told):
    """And, unless it has refused that, the end of the heap: that alone would make every block dearer."""
    asked = {}

    class Library:
        @staticmethod
        def mallopt(parameter, size):
            asked[parameter] = size
            return taken

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    compute.use_one_core()
    assert asked == told
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    compute.use_one_core()  # where there is no such call, nothing is told


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc knows these settings")
def test_glibc_takes_both_settings():
    """As of this machine: neither is refused."""
    tell = ctypes.CDLL(None).mallopt
    assert tell(compute.M_MMAP_THRESHOLD, compute.BLOCK_KEPT) == 1
    assert tell(compute.M_TRIM_THRESHOLD, compute.END_KEPT) == 1
