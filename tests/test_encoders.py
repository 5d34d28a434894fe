import io
import random
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from daitir.encoders import EncoderSettings, load_encoder, pixels
from daitir.errors import DaitirError
from tests import tiny
from tests.tiny_encoders import MAKERS, options_of


@pytest.fixture(scope="module", params=MAKERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return MAKERS[name](tmp_path_factory.mktemp("models") / name)


@pytest.fixture(scope="module")
def encoder_of(name, folder):
    return lambda **settings: load_encoder(options_of(name, folder, **settings))


def texts(count=40):
    rng = random.Random(3)
    return [" ".join(rng.choices(tiny.WORDS, k=rng.randint(1, 20))) for _ in range(count)]


def pictures(count=11):
    rng = random.Random(4)
    return [Image.frombytes("RGB", (31, 26), rng.randbytes(31 * 26 * 3)) for _ in range(count)]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_features_do_not_depend_on_their_batch(encoder_of, batch_size):
    """Bit for bit the same under every batch size, order and selection."""
    said, seen = texts(), pictures()
    one, together = encoder_of(), encoder_of(batch_size=batch_size)
    assert len({feature.tobytes() for feature in one.encode_images(seen)}) == len(seen)
    assert len({feature.tobytes() for feature in one.encode_texts(said).features}) > 30
    alone = [one.encode_texts([text]).features[0] for text in said]
    assert np.array_equal(together.encode_texts(said[::-1]).features[::-1], alone)
    one_by_one = np.concatenate([one.encode_images([image]) for image in seen])
    assert np.array_equal(together.encode_images(seen[::-1])[::-1], one_by_one)


def test_features_do_not_depend_on_the_threads_around_them(encoder_of):
    """The encoder computes with one thread, whatever was set before."""
    wanted = encoder_of().encode_images(pictures())
    torch.set_num_threads(2)
    assert np.array_equal(encoder_of().encode_images(pictures()), wanted)


def test_texts_that_are_cut_are_told(encoder_of):
    """A text of more than ``max_tokens`` tokens is encoded from its beginning with its end, and marked."""
    limit = len(encoder_of().tokenize("a red star"))
    encoded = encoder_of(max_tokens=limit).encode_texts(["a red star is large", "a red star"])
    assert encoded.truncated.tolist() == [True, False]
    assert np.array_equal(encoded.features[0], encoded.features[1])


def test_features_have_unit_length(encoder_of):
    """Every row, in float32, whatever the model computes in."""
    encoder = encoder_of(dtype="bfloat16")
    for features in (encoder.encode_texts(texts(9)).features, encoder.encode_images(pictures(3))):
        assert features.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


def test_an_encoder_states_its_facts(name, encoder_of):
    """The limit of its texts, the width of its features, and what it does to images."""
    limit, width, preprocessing, parameters = encoder_of().facts
    assert limit == 16
    assert parameters == sum(weight.numel() for weight in encoder_of().network.parameters())
    assert encoder_of().encode_images(pictures(1)).shape == (1, width)
    assert encoder_of().encode_images([]).shape == (0, width)
    clip = "mean 0.48 0.46 0.41, std 0.27 0.26 0.28"
    half = "24 x 24, bicubic, mean 0.50 0.50 0.50, std 0.50 0.50 0.50"
    crop = f"shortest edge 24, bicubic, centre crop 24 x 24, {clip}"
    assert preprocessing == {"clip": crop, "blip": f"24 x 24, bicubic, {clip}"}.get(name, half)


def test_pixels_are_scaled_and_normalised(name, encoder_of):
    """A white image of any shape becomes a square of (1 - mean) / std."""
    white = encoder_of().pixels(Image.new("RGB", (50, 20), "white"))
    mean, std = ([0.5] * 3, [0.5] * 3)
    if name in {"blip", "clip"}:
        mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    assert white.dtype == np.float32
    wanted = ((1 - np.array(mean)) / np.array(std))[:, None, None]
    np.testing.assert_allclose(white, np.broadcast_to(wanted, (3, 24, 24)), atol=1e-5)


def test_more_tokens_than_the_model_has_places_for_are_refused(encoder_of):
    """A limit that the model cannot keep is a fault of the config; images do not mind it."""
    encoder = encoder_of(max_tokens=65)
    assert len(encoder.encode_images(pictures(1))) == 1
    with pytest.raises(DaitirError, match=r"reads (64|20) tokens at most, lower max_tokens: 65"):
        encoder.encode_texts(["star"])


def test_a_model_of_another_kind_is_refused(name, folder):
    """The type in its config must be the encoder's kind."""
    kinds = {"blip", "clip", "siglip"} - {name.removesuffix("2")}
    for other in sorted(kinds):
        with pytest.raises(DaitirError, match=r"is of type .*, not one of kind|cannot be loaded") as caught:
            load_encoder(options_of(other, folder))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["lost", "other shape"])
def test_weights_that_are_missing_are_refused(name, folder, tmp_path, damage):
    """A model whose file lacks a weight, or has it in another shape, would be filled with random numbers."""
    broken = shutil.copytree(folder, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    chosen = sorted(weights)[-1]
    weight = weights.pop(chosen)
    if damage == "other shape":
        weights[chosen] = torch.zeros(*weight.shape, 2)
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        DaitirError, match=f"1 weights are missing or of another shape, the first is {chosen}"
    ):
        load_encoder(options_of(name, broken))


def test_options_know_what_changes_images(name):
    """The text limit leaves features of images alone, batch size and device leave all alone."""
    options = options_of(name, "m")
    assert isinstance(options, EncoderSettings)
    own = {"blip": {"revision", "image_size"}, "beit3": set()}.get(name, {"revision"})
    assert set(options.only("bytes")) == {"kind", "model", "dtype", "reduced_decode"} | own
    assert set(options.only("text")) == {"max_tokens"}
    assert set(options.only("how")) == {"batch_size", "device", "workers", "per_second"}


def too_little_memory(*_):
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_too_little_memory_is_one_line(encoder_of, monkeypatch):
    """On either side of the encoder."""
    encoder = encoder_of()
    for side in ("text_features", "image_features"):
        monkeypatch.setattr(encoder, side, too_little_memory)
    with pytest.raises(DaitirError, match="needs more memory than cpu has: lower `batch_size`"):
        encoder.encode_texts(texts(1))
    with pytest.raises(DaitirError, match="needs more memory than cpu has: lower `batch_size`"):
        encoder.encode_images(pictures(1))


def test_a_jpeg_may_be_unpacked_smaller(encoder_of):
    """It then comes near to what the whole gives; other formats, and small pictures, come as they are."""
    sky = np.linspace(0, 255, 400 * 300 * 3).reshape(300, 400, 3).astype(np.uint8)

    def read(encoder, size, kind):
        sink = io.BytesIO()
        Image.fromarray(sky).resize(size).save(sink, kind)
        return encoder.read_pixels(sink.getvalue(), "sky")

    whole, reduced = encoder_of(), encoder_of(reduced_decode=True)
    large, small = (400, 300), (whole.side + 1, whole.side + 1)
    assert np.array_equal(read(whole, large, "png"), read(reduced, large, "png"))
    assert np.array_equal(read(whole, small, "jpeg"), read(reduced, small, "jpeg"))
    known, found = read(whole, large, "jpeg"), read(reduced, large, "jpeg")
    assert known.shape == found.shape
    assert 0 < np.abs(known - found).max() < 0.2 * np.ptp(known)


def files_of_every_format():
    """Pictures of several sizes, one after another in each format and mode that is read."""
    kinds = [("RGB", "PNG"), ("L", "PNG"), ("RGBA", "PNG"), ("RGB", "JPEG"), ("RGB", "WEBP"), ("P", "GIF")]
    for number, (mode, format_) in enumerate([*kinds, ("RGB", "TIFF"), ("RGB", "BMP")] * 3):
        sink = io.BytesIO()
        image = Image.effect_noise((24 + 9 * (number % 4), 24 + 7 * (number % 3)), 60).convert(mode)
        turn = Image.Exif()
        turn[0x0112] = 1 + number % 8
        image.save(sink, format_, **({"exif": turn} if format_ in {"PNG", "JPEG", "WEBP", "TIFF"} else {}))
        yield sink.getvalue(), f"{number}.{format_.lower()}"


@pytest.mark.parametrize("area", [1, 2_000, 2**30])
def test_files_read_together_are_those_read_one_by_one(encoder_of, monkeypatch, area):
    """Bit for bit, in every format and wherever the portions end."""
    encoder, files = encoder_of(), list(files_of_every_format())
    wanted = [encoder.read_pixels(data, source) for data, source in files]
    monkeypatch.setattr(pixels, "PIXELS_AT_ONCE", area)
    found = encoder.reader.read(iter(files))
    assert [row.tobytes() for row in found] == [row.tobytes() for row in wanted]
    assert {(row.dtype.name, row.shape) for row in found} == {("float32", (3, 24, 24))}
    assert encoder.reader.read([]) == []


def test_file_among_others_is_refused_by_its_name(encoder_of):
    """The first that is damaged."""
    files = list(files_of_every_format())
    for place in (5, 9):
        files[place] = (files[place][0][:40], files[place][1])
    with pytest.raises(DaitirError, match=r"^5\.gif is "):
        encoder_of().reader.read(files)
