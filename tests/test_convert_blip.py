import os
import pickle
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BertTokenizer, BlipForImageTextRetrieval

from daitir.convert.__main__ import main
from daitir.encoders import BlipOptions, load_encoder
from daitir.errors import DaitirError
from tests import original_blip, tiny

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT = "a red star on the left, there is a tree"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """BERT's kind of vocabulary, without BLIP's two words."""
    words = [*SPECIAL, *tiny.WORDS, ",", "?", "."]
    folder = tmp_path_factory.mktemp("tokenizer")
    BertTokenizer(vocab={word: place for place, word in enumerate(words)}).save_pretrained(folder)
    assert len(words) + 2 == original_blip.WORDS
    return folder


def convert(tokenizer, tmp_path, checkpoint, *arguments, name="weights.pth"):
    path = tmp_path / name
    if not path.exists():
        torch.save(checkpoint, path)
    out = tmp_path / "blip"
    main(["blip", str(path), str(out), "--tokenizer", str(tokenizer), *arguments])
    return out


def features(folder):
    encoder = load_encoder(BlipOptions(kind="blip", model=str(folder), device="cpu", max_tokens=32))
    images = pictures()
    prepared = torch.from_numpy(np.stack([encoder.pixels(image) for image in images]))
    return encoder, encoder.encode_texts([TEXT]).features, encoder.encode_images(images), prepared


def pictures(count=5):
    rng = random.Random(4)
    return [Image.frombytes("RGB", (41, 36), rng.randbytes(41 * 36 * 3)) for _ in range(count)]


def test_features_are_those_of_the_original_weights(tokenizer, tmp_path, capsys):
    """Texts and images have the features that plain operations compute from the checkpoint, to 1e-5."""
    weights = original_blip.state()
    out = convert(tokenizer, tmp_path, {"model": weights | original_blip.of_training(), "epoch": 3})
    encoder, text, images, prepared = features(out)
    assert prepared.shape[-2:] == (32, 32)
    ids = torch.tensor(encoder.tokenizer(TEXT).input_ids)
    np.testing.assert_allclose(text, original_blip.text_features(weights, ids).numpy(), atol=1e-5)
    np.testing.assert_allclose(images, original_blip.image_features(weights, prepared).numpy(), atol=1e-5)
    said = capsys.readouterr().out
    assert re.fullmatch(
        rf"{out}: BlipForImageTextRetrieval, vision 3 layers of 128 at 32 px, \d\.\d M weights from"
        r" weights.pth, 12 of training dropped\n",
        said,
    )


@pytest.mark.parametrize("size", [48, 16])
def test_another_image_size_has_interpolated_positions(tokenizer, tmp_path, size):
    """Positions are interpolated between those of the checkpoint; the class token keeps its own."""
    weights = original_blip.state()
    encoder, text, images, prepared = features(
        convert(tokenizer, tmp_path, weights, "--image-size", str(size))
    )
    assert prepared.shape[-2:] == (size, size)
    stretched = resized_by_hand(weights["visual_encoder.pos_embed"], size // original_blip.PATCH)
    wanted = original_blip.image_features(weights | {"visual_encoder.pos_embed": stretched}, prepared)
    np.testing.assert_allclose(images, wanted.numpy(), atol=1e-5)
    ids = torch.tensor(encoder.tokenizer(TEXT).input_ids)
    np.testing.assert_allclose(text, original_blip.text_features(weights, ids).numpy(), atol=1e-5)


def resized_by_hand(positions, grid):
    """Bicubic interpolation (Keys, a = -0.75, pixel centres at halves, edges repeated), point by point."""
    own = original_blip.GRID
    cells = positions[0, 1:].reshape(own, own, -1)
    a = -0.75

    def share(distance):
        d = abs(distance)
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0

    along = torch.zeros(grid, own)
    for place in range(grid):
        centre = (place + 0.5) * own / grid - 0.5
        for near in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            along[place, min(max(near, 0), own - 1)] += share(centre - near)
    stretched = torch.einsum("yi,xj,ijd->yxd", along, along, cells)
    return torch.cat([positions[:, :1], stretched.reshape(1, grid * grid, -1)], dim=1)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}},
        lambda state: {"model": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {name: tensor.half() for name, tensor in state.items()},
    ],
    ids=["Lightning", "data-parallel", "bare, half precision"],
)
def test_wrapped_checkpoints_are_the_same_model(tokenizer, tmp_path, wrap):
    """What a training program puts around the weights changes nothing."""
    weights = original_blip.state()
    out = convert(tokenizer, tmp_path, wrap(weights), name="weights.ckpt")
    found = BlipForImageTextRetrieval.from_pretrained(out).state_dict()
    wanted = weights["visual_encoder.blocks.1.attn.qkv.weight"]
    given = found["vision_model.encoder.layers.1.self_attn.qkv.weight"]
    torch.testing.assert_close(given, wanted, atol=1e-3, rtol=1e-3)


def test_architecture_is_read_from_the_shapes(tokenizer, tmp_path):
    """Depth, width and patch are the checkpoint's, heads are 64 wide, and both norms have BLIP's epsilon."""
    out = convert(tokenizer, tmp_path, original_blip.state())
    config = BlipForImageTextRetrieval.from_pretrained(out).config
    vision, text = config.vision_config, config.text_config
    assert (out / "model.safetensors").stat().st_mode & 0o444 == out.stat().st_mode & 0o444
    assert (vision.num_hidden_layers, vision.hidden_size, vision.num_attention_heads) == (3, 128, 2)
    assert (vision.patch_size, vision.image_size, vision.layer_norm_eps) == (8, 32, 1e-6)
    assert (text.num_hidden_layers, text.num_attention_heads, text.intermediate_size) == (2, 2, 192)
    assert (text.vocab_size, text.max_position_embeddings, text.layer_norm_eps) == (30, 40, 1e-12)
    assert (text.bos_token_id, text.sep_token_id) == (28, 3)


def without(name):
    return {key: value for key, value in original_blip.state().items() if key != name}


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (
            original_blip.state() | {"visual_encoder.head.weight": torch.zeros(2)},
            "1 weights are left over, the first is 'visual_encoder.head.weight'",
        ),
        (without("itm_head.bias"), "1 weights are missing, the first is 'itm_head.bias'"),
        (without("visual_encoder.blocks.1.norm2.weight"), "'visual_encoder.blocks.1.norm2.weight'"),
        (without("visual_encoder.pos_embed"), "0 weights called 'visual_encoder.pos_embed'"),
        (without("text_encoder.encoder.layer.0.intermediate.dense.weight"), "layer.0.intermediate.dense"),
        (
            original_blip.state() | {"text_proj.bias": torch.zeros(3)},
            "'text_proj.bias' is 3, the model has 16",
        ),
        (
            original_blip.state() | {"text_proj.bias": torch.full((16,), torch.nan)},
            "'text_proj.bias' is not fin",
        ),
        (original_blip.state() | {"lr": 0.1}, "1 entries that are no weights, the first is 'lr'"),
        (original_blip.state(grid=5) | original_blip.state(words=31), "has 30 tokens with .* has 31"),
        ({"model": {}}, "holds no weights"),
        ([1, 2], "holds no weights"),
    ],
)
def test_checkpoints_that_are_not_exactly_this_are_refused(tokenizer, tmp_path, checkpoint, message):
    """What is left over, missing, misshapen or foreign is named in one line, and nothing is left behind."""
    with pytest.raises(DaitirError, match=message) as refused:
        convert(tokenizer, tmp_path, checkpoint)
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch was-run",)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tokenizer, tmp_path, monkeypatch, zipped, protocol):
    """A pickle that calls something is refused before it does."""
    monkeypatch.chdir(tmp_path)
    checkpoint = {"model": original_blip.state(), "args": RunsCode()}
    if zipped:
        torch.save(checkpoint, tmp_path / "weights.pth", pickle_protocol=protocol)
    else:
        (tmp_path / "weights.pth").write_bytes(pickle.dumps({"args": RunsCode()}, protocol))
    with pytest.raises(DaitirError, match="which is not run"):
        convert(tokenizer, tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]


@pytest.mark.parametrize("kept", [0, 100, 300_000])
def test_truncated_checkpoints_are_refused(tokenizer, tmp_path, kept):
    """A file cut short anywhere is no checkpoint."""
    torch.save(original_blip.state(), tmp_path / "weights.pth")
    data = (tmp_path / "weights.pth").read_bytes()
    (tmp_path / "weights.pth").write_bytes(data[:kept])
    with pytest.raises(DaitirError, match="damaged, cut short or no checkpoint"):
        convert(tokenizer, tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]


def test_missing_checkpoint_wrong_size_and_existing_directory(tokenizer, tmp_path):
    """A path that is not there, a size that no patch divides, and an output that is already there."""
    with pytest.raises(DaitirError, match="does not exist"):
        main(["blip", str(tmp_path / "none.pth"), str(tmp_path / "out")])
    with pytest.raises(DaitirError, match="--image-size 30 is no multiple of the checkpoint's patch of 8"):
        convert(tokenizer, tmp_path, original_blip.state(), "--image-size", "30")
    out = convert(tokenizer, tmp_path, None)
    with pytest.raises(DaitirError, match="exists: remove it"):
        main(["blip", str(tmp_path / "weights.pth"), str(out)])


def test_command_line(tmp_path):
    """Help names the layouts and their arguments; a refusal is one line and exit status 1."""
    command = [sys.executable, "-m", "daitir.convert"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "blip" in shown
    assert "beit3" in shown
    shown = subprocess.run([*command, "blip", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--image-size N" in shown
    refused = subprocess.run(
        [*command, "blip", str(tmp_path / "none.pth"), str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.count("\n") == 1
