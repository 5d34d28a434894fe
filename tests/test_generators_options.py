import json
import shutil

import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from safetensors.torch import load_file, save_file

from daitir.errors import DaitirError
from daitir.generators import Order
from daitir.stages.generate import GenerateOptions
from tests import tiny_pipelines
from tests.test_generators import ORDERS, generator_of, pixels

MODELS = ["sd3_t5", "sd2", "flux", "sana"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for name in MODELS:
        getattr(tiny_pipelines, name)(root / name)
    return root


def changed(folder, model, **settings):
    """Tell whether settings change a picture of a model."""
    before, after = (
        pixels(generator_of(folder / model, **chosen), ORDERS[:1])[ORDERS[0]] for chosen in ({}, settings)
    )
    return bool((before != after).any())


def parse(**generator):
    return GenerateOptions.parse({"code": "1", "generator": generator}, "--options").generator


def test_a_generator_without_a_kind_is_one_of_diffusers():
    """The kind may be left out, and is recorded."""
    generator = parse(model="m", steps=3)
    assert (generator.kind, generator.steps, generator.only("bytes")["kind"]) == (
        "diffusers",
        3,
        "diffusers",
    )


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        ({"model": "m", "steps": 0}, r"--options: generator\.steps: Input should be greater"),
        ({"model": "m", "kind": "diffusers", "step": 3}, r"generator\.step: unknown key"),
        ({"steps": 3}, r"generator\.model: missing"),
        ({"model": "m", "kind": "gan"}, "generator: a generator's kind is 'diffusers' .* or 'released'"),
        ({"model": "m", "kind": ["gan"]}, "generator: a generator's kind is 'diffusers'"),
        (
            {"model": "m", "negative_prompt": "blue", "guidance": 1},
            "negative_prompt is read with a guidance above 1 only",
        ),
        ({"kind": "released", "steps": 3}, r"generator\.steps: unknown key"),
        ({"kind": "released", "pattern": "{round}_{name}.jpg"}, r"generator\.pattern: .* no 'name'"),
        ({"kind": "released", "pattern": "{}.jpg"}, r"generator\.pattern: a picture has no ''"),
        ({"kind": "released", "pattern": "{place.real}.jpg"}, r"generator\.pattern: .* no 'place.real'"),
        ({"kind": "released", "pattern": "{place"}, r"generator\.pattern: expected '}'"),
        ({"kind": "released", "pattern": "{stem:05d}"}, r"generator\.pattern: Unknown format code 'd'"),
        ({"kind": "released", "pattern": "{place!r:>999999999}"}, r"pattern: a field is written \{name\}"),
        ({"kind": "released", "images": 3}, r"has no \{k\} to tell 3 images apart"),
    ],
)
def test_options_that_make_no_sense_are_refused(generator, message):
    """Each by the path of its key."""
    with pytest.raises(DaitirError, match=message):
        parse(**generator)


def test_published_pictures_may_have_padded_numbers_in_their_names():
    """As in 00042_03_2.png."""
    pattern = "{place:05d}_{round:02d}_{k}.png"
    assert parse(kind="released", pattern=pattern, images=3).pattern == pattern


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("sd2", {"max_sequence_length": 1}, "StableDiffusionPipeline of model .* no 'max_sequence_length'"),
        ("sd2", {"scheduler": "NoSuchScheduler"}, "scheduler 'NoSuchScheduler' is not one of diffusers"),
        ("sd2", {"scheduler": "AutoencoderKL"}, "scheduler 'AutoencoderKL' is not one of diffusers"),
        ("sd2", {"scheduler_settings": {"shift": 3.0}}, "DDIMScheduler knows no 'shift'"),
        ("sd2", {"settings": {"clip": 1}}, "StableDiffusionPipeline of model .* knows no 'clip'"),
        ("sd2", {"settings": {"guidance_scale": 1}}, "from the option `guidance`: write that instead"),
        ("sd2", {"settings": {"generator": 1}}, "gets its 'generator' from the queries"),
        ("sd2", {"without": ["vae"]}, "StableDiffusionPipeline of model .* cannot do without 'vae'"),
        ("sd2", {"without": ["text_encoder_3"]}, "cannot do without 'text_encoder_3'"),
        ("flux", {"without": ["text_encoder_2"]}, "FluxPipeline of model .* cannot do without"),
        ("flux", {"guidance": 3.5}, "FluxPipeline of model .* ignores `guidance`"),
        ("flux", {"guidance": 3.5, "negative_prompt": "blue"}, "FluxPipeline of model .* 'negative_prompt'"),
    ],
)
def test_settings_that_do_not_fit_the_model_are_refused(folder, model, settings, message):
    """Nothing is ignored in silence."""
    with pytest.raises(DaitirError, match=message):
        generator_of(folder / model, **settings)


@pytest.mark.parametrize("part", ["text_encoder", "unet"])
def test_too_little_memory_is_one_line(folder, part):
    """While prompts are read, and while pictures are drawn."""

    def too_little(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    generator = generator_of(folder / "sd2")
    getattr(generator.pipeline, part).register_forward_pre_hook(too_little)
    with pytest.raises(DaitirError, match="sd2 needs more memory than cpu has: lower `batch_size`, or set"):
        pixels(generator, ORDERS[:1])


def test_what_a_pipeline_complains_of_is_one_line(folder):
    """SANA-Sprint draws in one step when its second one is taken away, as the pipeline itself says."""
    with pytest.raises(DaitirError, match=r"SanaSprintPipeline of model .*Intermediate timesteps.*mend the"):
        pixels(generator_of(folder / "sana", steps=1), ORDERS[:1])
    settings = {
        "use_resolution_binning": False,
        "complex_human_instruction": None,
        "intermediate_timesteps": None,
    }
    assert pixels(generator_of(folder / "sana", steps=1, settings=settings), ORDERS[:1])


def test_settings_reach_the_pipeline(folder):
    """Those that only its reading of the prompts sees, too."""
    assert changed(folder, "sd2", settings={"guidance_rescale": 0.7})
    assert changed(folder, "sd3_t5", settings={"clip_skip": 1})


def test_another_scheduler_is_taken(folder):
    """By its name in diffusers, with the settings of the model's own and with others."""
    settings = {"scheduler": "EulerDiscreteScheduler", "scheduler_settings": {"timestep_spacing": "trailing"}}
    config = generator_of(folder / "sd2", **settings).pipeline.scheduler.config
    chosen = (config["_class_name"], config["prediction_type"], config["timestep_spacing"])
    assert chosen == ("EulerDiscreteScheduler", "v_prediction", "trailing")
    assert changed(folder, "sd3_t5", scheduler_settings={"shift": 1.0})


def test_how_the_decoder_works_changes_no_picture_on_the_cpu(folder):
    """It decodes picture by picture in any case; tiles are asked for as an option of their own."""
    assert not changed(folder, "sd2", vae_slicing=False)
    assert generator_of(folder / "sd2", vae_tiling=True).pipeline.vae.use_tiling


@pytest.mark.parametrize("part", ["transformer", "text_encoder", "text_encoder_3", "vae"])
def test_parts_without_all_weights_are_refused(folder, tmp_path, part):
    """A missing weight would be random."""
    shutil.copytree(folder / "sd3_t5", tmp_path / "sd3_t5")
    file = next((tmp_path / "sd3_t5" / part).glob("*.safetensors"))
    weights = load_file(file)
    lost = sorted(weights)[0]
    del weights[lost]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(DaitirError, match="1 weights are missing"):
        generator_of(tmp_path / "sd3_t5")


def test_a_picture_that_is_not_finite_is_refused(folder, tmp_path):
    """NaN would become black."""
    shutil.copytree(folder / "sd3_t5", tmp_path / "sd3_t5")
    pipeline = StableDiffusion3Pipeline.from_pretrained(tmp_path / "sd3_t5")
    torch.nn.init.constant_(pipeline.vae.decoder.conv_out.bias, float("nan"))
    pipeline.vae.save_pretrained(tmp_path / "sd3_t5" / "vae")
    with pytest.raises(DaitirError, match=r"a picture that is not finite from prompt 'star' \(k = 1\)"):
        pixels(generator_of(tmp_path / "sd3_t5"), [Order("star", 1, 5)])


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("StableDiffusionImg2ImgPipeline", "does not draw from text alone"),
        ("NoSuchPipeline", "drawn by 'NoSuchPipeline', which is no pipeline of diffusers"),
        (["own_code", "OwnPipeline"], "which is no pipeline of diffusers"),
    ],
)
def test_other_pipelines_are_refused(folder, tmp_path, pipeline, message):
    """Only those of diffusers that draw from text alone: no code of a model's folder is run."""
    shutil.copytree(folder / "sd2", tmp_path / "sd2")
    index = json.loads((tmp_path / "sd2" / "model_index.json").read_text())
    (tmp_path / "sd2" / "model_index.json").write_text(json.dumps(index | {"_class_name": pipeline}))
    (tmp_path / "sd2" / "own_code.py").write_text("raise SystemExit('run')")
    with pytest.raises(DaitirError, match=message):
        generator_of(tmp_path / "sd2")


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path):
    """Without an index nothing is drawn."""
    (tmp_path / "sd2").mkdir()
    with pytest.raises(DaitirError, match=r"no readable model_index\.json"):
        generator_of(tmp_path / "sd2")
