import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusion3Pipeline
from safetensors.torch import load_file, save_file

from daitir.errors import DaitirError
from daitir.generators import GeneratorOptions, Order, image_seed, load_generator
from tests import tiny_pipelines

SETTINGS = {"sd3": {"max_sequence_length": 1}, "sd2": {}, "sdxl": {}, "flux": {"max_sequence_length": 12}}
PROMPTS = ["a red star", "a blue circle on the left", "green"]
ORDERS = [Order(prompt, k, image_seed(0, prompt, k)) for prompt in PROMPTS for k in (1, 2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for name in SETTINGS:
        getattr(tiny_pipelines, name)(root / name)
    return root


def generator_of(model, **settings):
    chosen = {
        "steps": 2,
        "guidance": 3.0,
        "height": 16,
        "width": 16,
        "batch_size": 4,
        "device": "cpu",
    } | settings
    chosen = SETTINGS.get(model.name, {}) | chosen
    return load_generator(GeneratorOptions(model=str(model), **chosen))


def pixels(generator, orders=ORDERS):
    """Return the drawn pictures by order."""
    return {order: np.asarray(image) for batch in generator.draw(orders) for order, image in batch}


def test_the_seed_of_an_image_hangs_on_seed_prompt_and_k():
    """Fixed for all time, and different for each."""
    assert image_seed(0, "a red star", 1) == 1017770553894726847
    seeds = {image_seed(seed, prompt, k) for seed in (0, 1) for prompt in PROMPTS for k in (1, 2)}
    assert len(seeds) == 12
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("model", SETTINGS)
@pytest.mark.parametrize("batch_size", [1, 5])
def test_pictures_do_not_depend_on_their_batch(folder, model, batch_size):
    """Bit for bit the same under every batch size, order and selection."""
    wanted = pixels(generator_of(folder / model))
    drawn = pixels(generator_of(folder / model, batch_size=batch_size), ORDERS[::-1])
    assert all(np.array_equal(drawn[order], wanted[order]) for order in ORDERS)
    alone = pixels(generator_of(folder / model, batch_size=batch_size), ORDERS[3:4])
    assert np.array_equal(alone[ORDERS[3]], wanted[ORDERS[3]])


@pytest.mark.parametrize("guidance", [3.0, 1.0])
@pytest.mark.parametrize("model", SETTINGS)
def test_pictures_are_those_of_the_pipeline_called_with_the_prompt(folder, model, guidance):
    """Reading the prompts first and letting the text encoders go changes nothing."""
    settings = SETTINGS[model] | {
        "num_inference_steps": 2,
        "guidance_scale": guidance,
        "height": 16,
        "width": 16,
    }
    if model != "flux":
        settings["negative_prompt"] = ["blue"] * len(ORDERS)
    lacks = {"text_encoder_3": None, "tokenizer_3": None} if model == "sd3" else {}
    pipeline = DiffusionPipeline.from_pretrained(folder / model, **lacks)
    pipeline.set_progress_bar_config(disable=True)
    given = pipeline(
        [order.prompt for order in ORDERS],
        generator=[torch.Generator("cpu").manual_seed(order.seed) for order in ORDERS],
        output_type="np",
        **settings,
    ).images
    negative = None if model == "flux" else "blue"
    generator = generator_of(folder / model, guidance=guidance, negative_prompt=negative)
    drawn = pixels(generator)
    assert generator.pipeline.text_encoder is None
    for image, order in zip(given, ORDERS, strict=True):
        np.testing.assert_allclose(drawn[order], image * 255, atol=1.01)


def test_pictures_of_two_seeds_differ(folder):
    """Prompt and k of a picture are two pictures under two seeds."""
    first, second = (Order("a red star", 1, seed) for seed in (1, 2))
    drawn = pixels(generator_of(folder / "sd3"), [first, second])
    assert not np.array_equal(drawn[first], drawn[second])


def test_a_generator_draws_twice(folder):
    """The text encoders are gone after the first time, so the second time loads them anew."""
    generator = generator_of(folder / "sd3")
    pixels(generator, ORDERS[:1])
    assert pixels(generator).keys() == set(ORDERS)


def test_pipelines_that_read_no_prompts_first_get_texts(folder, monkeypatch):
    """A pipeline that the table does not know draws from texts, the same pictures."""
    wanted = pixels(generator_of(folder / "sd3", negative_prompt="blue"))
    monkeypatch.delitem(load_table(), "StableDiffusion3Pipeline")
    drawn = pixels(generator_of(folder / "sd3", negative_prompt="blue"))
    assert all(np.array_equal(drawn[order], wanted[order]) for order in ORDERS)


def load_table():
    from daitir.generators.pipelines import ENCODED

    return ENCODED


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_sequence_length": 1}, "StableDiffusionPipeline of model .* knows no 'max_sequence_length'"),
        ({"scheduler": "NoSuchScheduler"}, "scheduler 'NoSuchScheduler' is not one of diffusers"),
        ({"scheduler": "AutoencoderKL"}, "scheduler 'AutoencoderKL' is not one of diffusers"),
    ],
)
def test_settings_that_do_not_fit_the_model_are_refused(folder, settings, message):
    """Nothing is ignored in silence."""
    with pytest.raises(DaitirError, match=message):
        generator_of(folder / "sd2", **settings)


def test_a_negative_prompt_that_would_be_ignored_is_refused(folder):
    """FLUX reads none."""
    with pytest.raises(DaitirError, match=r"FluxPipeline of model .* knows no 'negative_prompt'"):
        generator_of(folder / "flux", negative_prompt="blue")


def test_another_scheduler_is_taken(folder):
    """By its name in diffusers, with the settings of the model's own."""
    generator = generator_of(folder / "sd2", scheduler="EulerDiscreteScheduler")
    assert type(generator.pipeline.scheduler).__name__ == "EulerDiscreteScheduler"


def test_prompts_that_are_cut_are_told(folder, capsys):
    """A prompt of more tokens than a text encoder reads is drawn from its beginning, and counted."""
    pixels(generator_of(folder / "sd2"), [Order("star " * 30, 1, 5), Order("star", 1, 6)])
    assert (
        "note: 1 of 2 prompts are longer than the 40 tokens that tokenizer reads" in capsys.readouterr().err
    )


@pytest.mark.parametrize("part", ["transformer", "text_encoder", "vae"])
def test_parts_without_all_weights_are_refused(tmp_path, part):
    """A missing weight would be random."""
    tiny_pipelines.sd3(tmp_path / "sd3")
    file = next((tmp_path / "sd3" / part).glob("*.safetensors"))
    weights = load_file(file)
    lost = sorted(weights)[0]
    del weights[lost]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(DaitirError, match="1 weights are missing"):
        generator_of(tmp_path / "sd3")


def test_a_picture_that_is_not_finite_is_refused(tmp_path):
    """NaN would become black."""
    tiny_pipelines.sd3(tmp_path / "sd3")
    pipeline = StableDiffusion3Pipeline.from_pretrained(
        tmp_path / "sd3", text_encoder_3=None, tokenizer_3=None
    )
    torch.nn.init.constant_(pipeline.vae.decoder.conv_out.bias, float("nan"))
    pipeline.vae.save_pretrained(tmp_path / "sd3" / "vae")
    with pytest.raises(
        DaitirError, match=r"drew a picture that is not finite from prompt 'a red star' \(k = 1\)"
    ):
        pixels(generator_of(tmp_path / "sd3"))


def test_a_pipeline_that_wants_an_image_is_refused(folder, tmp_path):
    """Only those that draw from text alone."""
    shutil.copytree(folder / "sd2", tmp_path / "sd2")
    index = json.loads((tmp_path / "sd2" / "model_index.json").read_text())
    index["_class_name"] = "StableDiffusionImg2ImgPipeline"
    (tmp_path / "sd2" / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(DaitirError, match="does not draw from text alone"):
        generator_of(tmp_path / "sd2")


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path):
    """Without an index nothing is drawn."""
    with pytest.raises(DaitirError, match=r"no readable model_index\.json"):
        generator_of(tmp_path)
