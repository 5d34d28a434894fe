import random

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, BlipForImageTextRetrieval

from daitir.encoders import BlipOptions, load_encoder
from daitir.errors import DaitirError
from daitir.options import Options
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.blip(tmp_path_factory.mktemp("models") / "blip")


def encoder_of(folder, **settings):
    return load_encoder(BlipOptions(kind="blip", model=str(folder), device="cpu", max_tokens=32, **settings))


def texts(count=40):
    rng = random.Random(3)
    return [" ".join(rng.choices(tiny.WORDS, k=rng.randint(1, 40))) for _ in range(count)]


def pictures(count=11):
    rng = random.Random(4)
    return [Image.frombytes("RGB", (31, 26), rng.randbytes(31 * 26 * 3)) for _ in range(count)]


def test_features_are_those_that_blip_retrieves_with(folder):
    """The product of a text's and an image's feature is the cosine that the model itself gives."""
    encoder = encoder_of(folder)
    image, text = pictures(1)[0], "a red star on the left"
    model = BlipForImageTextRetrieval.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    pixels = torch.from_numpy(encoder.pixels(image))[None]
    with torch.inference_mode():
        given = model(
            tokens.input_ids, pixels, use_itm_head=False, attention_mask=tokens.attention_mask
        ).itm_score
    cosine = encoder.encode_texts([text]).features @ encoder.encode_images([image]).T
    np.testing.assert_allclose(cosine, given.numpy(), atol=1e-6)


def test_pixels_are_those_of_the_processor(folder):
    """Resized to the model's square, scaled and normalised by the model's own settings."""
    encoder = encoder_of(folder)
    white = encoder.pixels(Image.new("RGB", (50, 20), "white"))
    mean, std = (
        np.array(values)[:, None, None]
        for values in (encoder.processor.image_mean, encoder.processor.image_std)
    )
    assert white.shape == (3, 24, 24)
    assert white.dtype == np.float32
    np.testing.assert_allclose(white, np.broadcast_to((1 - mean) / std, white.shape), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_features_do_not_depend_on_their_batch(folder, batch_size):
    """Bit for bit the same under every batch size, order and selection."""
    said, seen = texts(), pictures()
    assert len({feature.tobytes() for feature in encoder_of(folder).encode_images(seen)}) == len(seen)
    alone = [encoder_of(folder).encode_texts([text]).features[0] for text in said]
    together = encoder_of(folder, batch_size=batch_size)
    assert np.array_equal(together.encode_texts(said[::-1]).features[::-1], alone)
    one_by_one = np.concatenate([encoder_of(folder).encode_images([image]) for image in seen])
    assert np.array_equal(together.encode_images(seen[::-1])[::-1], one_by_one)


def test_features_do_not_depend_on_the_threads_around_them(folder):
    """The encoder computes with one thread, whatever was set before."""
    wanted = encoder_of(folder).encode_images(pictures())
    torch.set_num_threads(2)
    assert np.array_equal(encoder_of(folder).encode_images(pictures()), wanted)


def test_texts_that_are_cut_are_told(folder):
    """A text of more than ``max_tokens`` tokens is encoded from its beginning and marked."""
    long, short = " ".join(["star"] * 31), " ".join(["star"] * 30)
    encoded = encoder_of(folder).encode_texts([long, short])
    assert encoded.truncated.tolist() == [True, False]
    assert np.array_equal(encoded.features[0], encoded.features[1])


def test_features_have_unit_length(folder):
    """Every row, in float32, whatever the model computes in."""
    features = encoder_of(folder, dtype="bfloat16").encode_texts(texts(9)).features
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


def test_no_images_no_features(folder):
    """An empty list has no rows, of the right width."""
    assert encoder_of(folder).encode_images([]).shape == (0, 16)


def test_more_tokens_than_the_model_has_places_for_are_refused(folder):
    """A limit that the model cannot keep is a fault of the config."""
    with pytest.raises(DaitirError, match="reads 64 tokens at most"):
        load_encoder(BlipOptions(kind="blip", model=str(folder), max_tokens=65)).encode_texts(["star"])


def test_options_know_what_changes_images():
    """The text limit leaves features of images alone, batch size and device leave all alone."""
    assert issubclass(BlipOptions, Options)
    options = BlipOptions(kind="blip", model="m")
    assert set(options.only("bytes")) == {"kind", "model", "revision", "dtype"}
    assert set(options.only("text")) == {"max_tokens"}
    assert set(options.only("how")) == {"batch_size", "device", "workers"}
