import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from daitir.generators import DiffusersOptions, Order, image_seed, load_generator
from daitir.generators.arguments import ENCODED
from tests import tiny_pipelines

# What each kind of model is drawn with; the published ones have the same settings in their presets.
SETTINGS = {
    "sd3": {"guidance": 3.0, "max_sequence_length": 1},
    "sd3_t5": {"guidance": 3.0, "max_sequence_length": 12},
    "sd35": {"guidance": 3.0, "max_sequence_length": 12},
    "sd2": {"guidance": 3.0},
    "sdxl": {"guidance": 3.0},
    "sdxl_turbo": {"steps": 1, "guidance": 0.0},
    "flux": {"guidance": 0.0, "max_sequence_length": 12},
    "sana": {
        "guidance": 4.5,
        "max_sequence_length": 30,
        "height": 32,
        "width": 32,
        "settings": {"use_resolution_binning": False, "complex_human_instruction": ["draw: "]},
    },
}
NEGATIVE = ["sd3", "sd3_t5", "sd35", "sd2", "sdxl"]  # these draw away from a negative prompt
PROMPTS = ["a red star", "a blue circle on the left", "green"]
ORDERS = [Order(prompt, k, image_seed(0, prompt, k)) for prompt in PROMPTS for k in (1, 2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for name in SETTINGS:
        getattr(tiny_pipelines, name)(root / name)
    return root


def generator_of(model, **settings):
    chosen = {"steps": 2, "height": 16, "width": 16, "batch_size": 4, "device": "cpu"}
    return load_generator(DiffusersOptions(model=str(model), **chosen | SETTINGS[model.name] | settings))


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
def test_pictures_do_not_depend_on_their_batch(folder, model):
    """Bit for bit the same under every batch size, order and selection."""
    wanted = pixels(generator_of(folder / model))
    for batch_size in (1, 5):
        drawn = pixels(generator_of(folder / model, batch_size=batch_size), ORDERS[::-1])
        assert all(np.array_equal(drawn[order], wanted[order]) for order in ORDERS)
    alone = pixels(generator_of(folder / model), ORDERS[3:4])
    assert np.array_equal(alone[ORDERS[3]], wanted[ORDERS[3]])


@pytest.mark.parametrize(
    ("model", "guidance"),
    [*((name, SETTINGS[name]["guidance"]) for name in SETTINGS), *((name, 1.0) for name in NEGATIVE)],
)
def test_pictures_are_those_of_the_pipeline_called_with_the_prompt(folder, model, guidance):
    """Reading the prompts first and letting the text encoders go changes nothing."""
    chosen = {"steps": 2, "height": 16, "width": 16} | SETTINGS[model] | {"guidance": guidance}
    settings = {"use_resolution_binning": False} if model == "sana" else {}  # SANA's own instruction is read
    negative = {"negative_prompt": "blue"} if model in NEGATIVE and guidance > 1 else {}
    generator = generator_of(folder / model, **chosen | negative | {"settings": settings})
    drawn = pixels(generator)
    assert generator.pipeline.text_encoder is None

    called = {name: chosen[name] for name in ("height", "width", "max_sequence_length") if name in chosen}
    called |= {"num_inference_steps": chosen["steps"], "guidance_scale": guidance} | settings
    called |= {name: [text] * len(ORDERS) for name, text in negative.items()}
    lacks = {"text_encoder_3": None, "tokenizer_3": None} if model == "sd3" else {}
    pipeline = DiffusionPipeline.from_pretrained(folder / model, **lacks)
    pipeline.set_progress_bar_config(disable=True)
    given = pipeline(
        [order.prompt for order in ORDERS],
        generator=[torch.Generator("cpu").manual_seed(order.seed) for order in ORDERS],
        output_type="np",
        **called,
    ).images
    for image, order in zip(given, ORDERS, strict=True):
        np.testing.assert_allclose(drawn[order], image * 255, atol=1.01)


@pytest.mark.parametrize("model", SETTINGS)
def test_pictures_are_drawn_in_bfloat16(folder, model):
    """As on an accelerator: other bits, the same picture."""
    wanted, drawn = (
        pixels(generator_of(folder / model)),
        pixels(generator_of(folder / model, dtype="bfloat16")),
    )
    apart = [np.abs(drawn[order].astype(float) - wanted[order]).mean() for order in ORDERS]
    assert 0 < max(apart) < 12


@pytest.mark.parametrize("model", ["sd3_t5", "sd35", "flux"])
def test_the_length_to_which_prompts_are_padded_changes_pictures(folder, model):
    """It belongs to the settings of a generator: T5's padding is read."""
    short, long = (
        pixels(generator_of(folder / model, max_sequence_length=length), ORDERS[4:5]) for length in (8, 24)
    )
    assert not np.array_equal(short[ORDERS[4]], long[ORDERS[4]])


def test_sd3_draws_without_its_t5(folder, tmp_path):
    """Its text encoder is not even looked for; the picture is another one."""
    lacking = tmp_path / "sd3_t5"
    tiny_pipelines.sd3_t5(lacking)
    (lacking / "text_encoder_3" / "model.safetensors").unlink()
    generator = generator_of(lacking, without=["text_encoder_3", "tokenizer_3"])
    assert generator.pipeline.text_encoder_3 is None
    with_t5 = pixels(generator_of(folder / "sd3_t5"), ORDERS[:1])
    assert not np.array_equal(pixels(generator, ORDERS[:1])[ORDERS[0]], with_t5[ORDERS[0]])


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
    monkeypatch.delitem(ENCODED, "StableDiffusion3Pipeline")
    drawn = pixels(generator_of(folder / "sd3", negative_prompt="blue"))
    assert all(np.array_equal(drawn[order], wanted[order]) for order in ORDERS)


def test_prompts_that_are_cut_are_told(folder, capsys):
    """A prompt of more tokens than a text encoder reads is drawn from its beginning."""
    generator = generator_of(folder / "sd2")
    assert generator.cut_prompts(["star " * 30, "star"]) == {"star " * 30}
    assert (
        "note: 1 of 2 prompts are longer than the 40 tokens that tokenizer reads" in capsys.readouterr().err
    )


def test_a_prompt_that_one_text_encoder_reads_to_its_end_is_not_cut(folder, capsys):
    """CLIP reads 40 tokens here and T5 100, of which fifteen stars take 91: they are cut for CLIP alone."""
    generator = generator_of(folder / "flux", max_sequence_length=100)
    assert generator.cut_prompts(["star " * 15, "star " * 30]) == {"star " * 30}
    told = capsys.readouterr().err
    assert "2 of 2 prompts are longer than the 40 tokens that tokenizer reads" in told
    assert "1 of 2 prompts are longer than the 100 tokens that tokenizer_2 reads" in told


def test_an_instruction_before_the_prompts_takes_none_of_their_room(folder):
    """SANA's pipeline reads as many tokens more as the instruction has, less two."""
    generator = generator_of(folder / "sana", max_sequence_length=20)
    instruction, texts = "draw: ", ["x" * length for length in range(10, 26)]
    tokens = generator.pipeline.tokenizer
    room = len(tokens(instruction).input_ids) + 20 - 2
    cut = {text for text in texts if len(tokens(instruction + text).input_ids) > room}
    assert 0 < len(cut) < len(texts)
    assert generator.cut_prompts(texts) == cut
