"""mini-blip's pairs are true, and its directory is read by transformers."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BlipForImageTextRetrieval

from daitir.mini.language import describe, parse
from daitir.mini.measure_blip import Encoder, ranks, report
from daitir.mini.pairs import (
    ALBUM,
    FACTS,
    cells,
    degrade,
    draw_pictures,
    draw_text,
    fact_vector,
    forget_words,
)
from daitir.mini.train_blip import Contrast, DualEncoder, build_model, build_processor, export
from daitir.mini.world import Scene, Thing, split_of

SCENE = Scene(
    "sand",
    (
        Thing("star", "red", "large", "top left"),
        Thing("ring", "blue", "small", "middle"),
        Thing("moon", "black", "small", "right"),
    ),
)


@pytest.fixture(scope="module")
def encoders():
    """A processor, an untrained model and a few pictures."""
    torch.manual_seed(0)
    processor = build_processor()
    return processor, DualEncoder(build_model(len(processor.tokenizer))), draw_pictures(0, albums=3)


def test_pictures_come_from_the_models_split_in_albums(encoders):
    """No picture of evaluation is learned from; a batch takes one picture of an album."""
    pictures = encoders[2]
    assert {split_of(scene) for scene in pictures.scenes} == {"models"}
    assert sorted(i // ALBUM for i in pictures.sample(random.Random(0), 3)) == [0, 1, 2]


@pytest.mark.parametrize("seed", range(20))
def test_text_says_only_what_is_known(seed):
    """Descriptions say the facts they are paired with, which are facts of the scene."""
    text, known = draw_text(SCENE, random.Random(seed))
    assert known.facts <= set(FACTS)
    assert sum(fact_vector(known)) == len(known.facts)
    if "?" not in text:
        assert parse(text).facts == known.facts


def test_cells_name_the_thing_at_each_place():
    """By hand: star at the top left, ring in the middle, moon at the right, six empty cells."""
    empty = (0, -100, -100)
    assert cells(SCENE) == [(4, 0, 1), empty, empty, empty, (7, 4, 0), (8, 6, 0), empty, empty, empty]


def test_degraded_pictures_stay_pictures(encoders):
    """Values stay within 0 and 1, and about half of the pictures are as they were."""
    pixels = encoders[2].pixels
    torch.manual_seed(0)
    images = degrade(pixels, random.Random(0))
    assert images.min() >= 0
    assert images.max() <= 1
    same = (images == torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).flatten(1).all(dim=1)
    assert 0.2 < same.float().mean() < 0.7


def test_forgotten_words_are_replaced():
    """All words at share 1, none at share 0."""
    assert forget_words("a red star", random.Random(0), share=1.0) == "[UNK] [UNK] [UNK]"
    assert forget_words("a red star", random.Random(0), share=0.0) == "a red star"


def test_training_and_processor_see_the_same_pixels(encoders):
    """The normalisation of the training is that of the processor."""
    processor, model, pictures = encoders
    contrast = Contrast(model, processor, pictures, "cpu")
    ours = contrast.normalise(torch.from_numpy(pictures.pixels[:2]).permute(0, 3, 1, 2).float() / 255)
    theirs = processor.image_processor([Image.fromarray(p) for p in pictures.pixels[:2]], return_tensors="pt")
    torch.testing.assert_close(ours, theirs.pixel_values, atol=1e-4, rtol=1e-4)


def test_order_of_texts_survives_the_batching(encoders):
    """Short and long texts are encoded apart and come back in their order."""
    processor, model, pictures = encoders
    model.eval()
    texts = [
        "a red star, in the snow and a blue ring at the top left",
        "a moon",
        "a red star",
        "a cross, at dusk",
    ]
    with torch.no_grad():
        together, _ = Contrast(model, processor, pictures, "cpu").encode_texts(texts)
        alone = torch.cat(
            [Contrast(model, processor, pictures, "cpu").encode_texts([text] * 2)[0][:1] for text in texts]
        )
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_vocabulary_holds_the_language(encoders):
    """No word of a description is unknown."""
    tokens = encoders[0].tokenizer.tokenize(describe(parse("a large red star at the top left, in the snow")))
    assert tokens == ["a", "large", "red", "star", "at", "the", "top", "left", ",", "in", "the", "snow"]


def test_directory_holds_all_weights(tmp_path, encoders):
    """Transformers finds each weight in the file, and its features are those of the trained model."""
    processor, model, pictures = encoders
    model.eval()
    export(model, processor, tmp_path)
    _, info = BlipForImageTextRetrieval.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    encoder = Encoder(tmp_path)
    features = encoder.texts(["a red star", "a moon at the top, in the snow"])
    with torch.no_grad():
        expected, _ = Contrast(model, processor, pictures, "cpu").encode_texts(
            ["a red star", "a moon at the top, in the snow"]
        )
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)
    assert encoder.images([Image.fromarray(np.zeros((48, 48, 3), np.uint8))]).norm().item() == pytest.approx(
        1
    )


def test_rank_counts_ties_against_the_target():
    """Three pictures, one of them equal to the target: rank 2."""
    corpus = torch.eye(3)[[0, 0, 1]]

    class Fixed:
        def texts(self, texts):
            return torch.eye(3)[[0] * len(texts)]

    assert ranks(Fixed(), [["a", "b"]], corpus, [1]).tolist() == [[2, 2]]


def test_hits_stay_and_recall_does_not():
    """A target found once counts for Hits ever after."""
    ranks_QR = torch.tensor([[50, 3] + [50] * 9])
    hits, recall = (line.split()[-6:] for line in report("", ranks_QR).splitlines())
    assert hits == ["0.0", "100.0", "100.0", "100.0", "100.0", "100.0"]
    assert recall == ["0.0", "100.0", "0.0", "0.0", "0.0", "0.0"]
