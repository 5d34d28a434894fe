"""Encoders of transformers give the features of the models themselves."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import AutoTokenizer, BlipForImageTextRetrieval, CLIPModel, SiglipModel

from daitir.encoders import load_encoder
from daitir.errors import DaitirError
from tests import tiny, tiny_encoders
from tests.test_encoders import pictures
from tests.tiny_encoders import MAKERS, options_of

TEXTS = ["a red star on the left", "is there a tree, large and green?", "Red Star", "yes"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: MAKERS[name](root / name) for name in ("clip", "siglip", "siglip2")}


def test_features_are_those_that_blip_retrieves_with(tmp_path):
    """The product of a text's and an image's feature is the cosine that the model itself gives."""
    folder = tiny.blip(tmp_path / "blip")
    encoder = load_encoder(options_of("blip", folder))
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


def test_blip_takes_images_of_another_size(tmp_path):
    """Its positions are interpolated once, as the model itself does it for every image; its texts stay."""
    folder, image = tiny.blip(tmp_path / "blip"), pictures(1)[0]
    encoder = load_encoder(options_of("blip", folder, image_size=40))
    assert encoder.facts.preprocessing.startswith("40 x 40, bicubic")
    pixels = encoder.pixels(image)
    assert pixels.shape == (3, 40, 40)
    model = BlipForImageTextRetrieval.from_pretrained(folder).eval()
    with torch.inference_mode():
        hidden = model.vision_model(torch.from_numpy(pixels)[None], interpolate_pos_encoding=True)
        wanted = F.normalize(model.vision_proj(hidden.last_hidden_state[:, 0]), dim=-1)
    np.testing.assert_allclose(encoder.encode_images([image]), wanted.numpy(), atol=1e-6)
    own = load_encoder(options_of("blip", folder, image_size=24))
    plain = load_encoder(options_of("blip", folder))
    assert np.array_equal(own.encode_images([image]), plain.encode_images([image]))
    assert np.array_equal(encoder.encode_texts(TEXTS).features, plain.encode_texts(TEXTS).features)
    halved = load_encoder(options_of("blip", folder, image_size=40, dtype="bfloat16"))
    np.testing.assert_allclose(halved.encode_images([image]), wanted.numpy(), atol=0.05)


@pytest.mark.parametrize("kind", ["blip", "clip", "siglip"])
def test_an_image_of_the_models_size_is_not_resized(tmp_path, kind, monkeypatch):
    """It would be the same, bit for bit; one among others is resized with them."""
    encoder = load_encoder(options_of(kind, MAKERS[kind](tmp_path / kind)))
    fits = Image.effect_noise((encoder.side, encoder.side), 80).convert("RGB")
    other = Image.effect_noise((encoder.side + 5, encoder.side), 80).convert("RGB")
    wanted = encoder.processor(images=[fits, other], return_tensors="np")["pixel_values"]
    assert np.array_equal(encoder.pixels_of([fits, other]), wanted)
    asked = []
    resize = type(encoder.processor).resize
    monkeypatch.setattr(
        type(encoder.processor), "resize", lambda *args, **how: asked.append(1) or resize(*args, **how)
    )
    assert np.array_equal(encoder.pixels_of([fits]), wanted[:1])
    assert bool(asked) == (kind == "clip")  # whose shorter side alone is given


def test_an_image_size_that_patches_do_not_fill_is_refused(tmp_path):
    """Patches of 8 pixels, 30 pixels a side."""
    with pytest.raises(DaitirError, match="patches of 8 pixels, which do not divide image_size 30"):
        load_encoder(options_of("blip", tiny.blip(tmp_path / "blip"), image_size=30))


@pytest.mark.parametrize("name", ["clip", "siglip", "siglip2"])
def test_image_features_are_the_models_own(models, name):
    """What ``get_image_features`` gives, at unit length."""
    encoder, seen = load_encoder(options_of(name, models[name])), pictures(4)
    model = (CLIPModel if name == "clip" else SiglipModel).from_pretrained(models[name]).eval()
    pixels = torch.from_numpy(np.stack([encoder.pixels(image) for image in seen]))
    with torch.inference_mode():
        wanted = F.normalize(model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
    np.testing.assert_allclose(encoder.encode_images(seen), wanted.numpy(), atol=1e-6)


def test_clip_texts_are_the_models_own(models):
    """Padded among others or alone, cut or not: what ``get_text_features`` gives for each text alone."""
    said = [*TEXTS, "star tree star tree star tree star tree"]
    encoded = load_encoder(options_of("clip", models["clip"], max_tokens=None)).encode_texts(said)
    assert encoded.truncated.tolist() == [False, True, False, False, True]
    model, tokenizer = (
        CLIPModel.from_pretrained(models["clip"]),
        AutoTokenizer.from_pretrained(models["clip"]),
    )
    for text, feature in zip(said, encoded.features, strict=True):
        tokens = tokenizer(text, truncation=True, max_length=20, return_tensors="pt")
        with torch.inference_mode():
            wanted = F.normalize(model.eval().get_text_features(**tokens).pooler_output, dim=-1)
        np.testing.assert_allclose(feature, wanted[0].numpy(), atol=1e-6)


@pytest.mark.parametrize("name", ["siglip", "siglip2"])
def test_siglip_texts_are_the_models_own(models, name):
    """In lower case, with an end, padded to 64 without a mask: what ``get_text_features`` gives."""
    encoder = load_encoder(options_of(name, models[name], max_tokens=None))
    model, tokenizer = SiglipModel.from_pretrained(models[name]), AutoTokenizer.from_pretrained(models[name])
    end, filler = tokenizer.eos_token_id, tokenizer.pad_token_id
    rows = [[*tokenizer(text.lower(), add_special_tokens=False).input_ids, end] for text in TEXTS]
    ids = torch.tensor([row + [filler] * (64 - len(row)) for row in rows])
    with torch.inference_mode():
        wanted = F.normalize(model.eval().get_text_features(input_ids=ids).pooler_output, dim=-1)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS).features, wanted.numpy(), atol=1e-6)


def test_siglip_reads_what_its_own_tokenizer_gives(models):
    """The first SigLIP's tokenizer does by itself what we do for both: lower case, end, no begin, cut."""
    tokenizer = AutoTokenizer.from_pretrained(models["siglip"])
    encoder = load_encoder(options_of("siglip", models["siglip"]))
    for text in [*TEXTS, " ".join(tiny.WORDS * 5)]:
        wanted = tokenizer(text, padding="max_length", truncation=True, max_length=64).input_ids
        given = encoder.tokenize(text, 64)
        assert given + [tokenizer.pad_token_id] * (64 - len(given)) == wanted


@pytest.mark.parametrize("name", ["siglip", "siglip2"])
def test_siglip_does_not_tell_upper_from_lower_case(models, name):
    """It was trained on lower case, though the tokenizer published with SigLIP 2 keeps what it gets."""
    upper, lower = load_encoder(options_of(name, models[name])).encode_texts(["A RED Star", "a red star"])[0]
    assert np.array_equal(upper, lower)


def test_clip_is_read_from_the_files_of_older_repositories(models, tmp_path):
    """With ``pytorch_model.bin`` alone, the features are those of the safetensors."""
    older = tiny_encoders.clip(tmp_path / "clip", "pytorch_model.bin")
    assert not list(older.glob("*.safetensors"))
    wanted = load_encoder(options_of("clip", models["clip"])).encode_texts(TEXTS)
    assert np.array_equal(
        load_encoder(options_of("clip", older)).encode_texts(TEXTS).features, wanted.features
    )


def test_a_siglip_of_any_resolution_is_refused(models, tmp_path):
    """The NaFlex models of SigLIP 2 take other inputs; their type is ``siglip2``."""
    (tmp_path / "config.json").write_text('{"model_type": "siglip2"}')
    with pytest.raises(DaitirError, match="is of type 'siglip2', not one of kind 'siglip'"):
        load_encoder(options_of("siglip", tmp_path))
