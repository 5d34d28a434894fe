"""mini-sd3: its tokenizer, its lesson, and that it is saved as diffusers expects it."""

import random

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from daitir.mini.language import all_of, prompt  # noqa: E402
from daitir.mini.lesson import WORDS_FROM, Lesson, Student, cells_of, known_of, names_in  # noqa: E402
from daitir.mini.optimizers import MuonAndAdam  # noqa: E402
from daitir.mini.sd3 import EMPTY_TOKENS, PROMPT_TOKENS, Painter, assemble, build_tokenizer, save, tokens_of  # noqa: E402
from daitir.mini.train_autoencoder import build_autoencoder, pixels_of, reconstruction  # noqa: E402
from daitir.mini.train_sd3 import matrices_and_others  # noqa: E402
from daitir.mini.trainer import Plan, take_step  # noqa: E402
from daitir.mini.world import Scene, Thing, draw_scene  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.fixture(scope="module")
def painter(tokenizer):
    torch.manual_seed(0)
    return Painter(len(tokenizer))


def test_every_word_is_one_token(tokenizer):
    """The longest prompt fits, and no word of it is broken."""
    rng = random.Random(0)
    longest = 0
    for i in range(60):
        text = prompt(all_of(draw_scene(rng, "val")), 1 + i % 3)
        pieces = tokenizer.tokenize(text)
        assert all(piece.endswith("</w>") for piece in pieces)
        longest = max(longest, len(pieces) + 2)
    assert longest <= PROMPT_TOKENS


def test_strange_text_has_tokens_too(tokenizer):
    """A text in other words or letters ends once, at its end."""
    numbers = tokenizer("Žluťoučký kůň, 3 qubits").input_ids
    assert numbers.count(tokenizer.eos_token_id) == 1
    assert numbers[-1] == tokenizer.eos_token_id


def test_prompts_know_parts_and_wholes():
    """Training sees prompts of one fact and of all thirteen."""
    rng = random.Random(1)
    scene = draw_scene(rng, "models")
    facts = [known_of(scene, rng, 0.5).facts for _ in range(300)]
    assert all(known <= all_of(scene).facts for known in facts)
    assert min(map(len, facts)) <= 2
    assert max(map(len, facts)) == 13


def test_teller_reads_the_tokens_of_each_cell():
    """Six by six tokens are three by three cells of two by two tokens."""
    cells = cells_of(torch.arange(36).view(1, 36, 1))[0].tolist()
    assert cells[0] == [0, 1, 6, 7]
    assert cells[5] == [16, 17, 22, 23]


def test_names_of_a_scene_are_by_place():
    """An empty cell has a shape, nothing, and no colour or size to name."""
    scene = Scene(
        "sky", (Thing("circle", "red", "large", "top"), Thing("moon", "white", "small", "bottom right"))
    )
    names = names_in(scene)
    assert names[0] == [0, -1, -1]
    assert names[1] == [1, 0, 1]
    assert names[8] == [8, 7, 0]


def test_student_paints_as_the_pipeline_does(painter, tokenizer):
    """The teller looks on; the velocity is that of the transformer itself."""
    noisy, times = torch.randn(2, 8, 12, 12), torch.tensor([100.0, 900.0])
    torch.nn.init.normal_(painter.transformer.proj_out.weight)
    tokens = tokens_of(tokenizer, ["vivid red star", ""])
    with torch.no_grad():
        assert torch.equal(Student(painter)(noisy, tokens, times)[0], painter(noisy, tokens, times))
    torch.nn.init.zeros_(painter.transformer.proj_out.weight)


def test_lesson_moves_every_part(painter, tokenizer):
    """Two steps with words move matrices and the rest, and leave them finite."""
    student = Student(painter)
    lesson = Lesson(student, tokenizer, torch.randn(50, 8, 12, 12), fuse=False)
    optimizer = MuonAndAdam(*matrices_and_others(student))
    assert len(list(student.parameters())) == sum(
        len(part.param_groups[0]["params"]) for part in optimizer.parts
    )
    before = {name: weight.clone() for name, weight in student.named_parameters()}
    plan = Plan(2 * WORDS_FROM, 1e-3)
    losses = [take_step(student, optimizer, lesson, plan, WORDS_FROM + step) for step in range(2)]
    assert losses[0]["painted"].item() == pytest.approx(2, abs=0.3)
    assert losses[0]["loss"] > losses[0]["painted"]
    moved = {name for name, weight in student.named_parameters() if not torch.equal(weight, before[name])}
    assert {"teller.weight", "painter.transformer.proj_out.weight"} <= moved
    assert any("text_model" in name for name in moved)
    assert all(weight.isfinite().all() for weight in student.parameters())


def test_optimizer_is_restored(painter):
    """A resumed run goes on with the moments that it had."""
    student = Student(painter)
    first = MuonAndAdam(*matrices_and_others(student))
    for group in first.param_groups:
        group["lr"] = 0.0
    for weight in student.parameters():
        weight.grad = torch.ones_like(weight)
    first.step()
    second = MuonAndAdam(*matrices_and_others(student))
    second.load_state_dict(first.state_dict())
    states = [[part["state"] for part in each.state_dict()["parts"]] for each in (first, second)]
    assert len(states[0][0]) == len(states[1][0]) > 0
    assert len(states[0][1]) == len(states[1][1]) > 0
    second.param_groups[0]["lr"] = 0.5
    assert second.parts[0].param_groups[0]["lr"] == 0.5


def test_autoencoder_halves_the_side_twice():
    """Pictures come back in their own size, and the losses are finite."""
    model = build_autoencoder()
    rng = random.Random(2)
    pixels = pixels_of([draw_scene(rng, "models") for _ in range(2)], rng)
    assert model.encode(pixels).latent_dist.mode().shape == (2, 8, 12, 12)
    assert all(loss.isfinite() for loss in reconstruction(model, pixels).values())


def test_saved_pipeline_draws(painter, tokenizer, tmp_path):
    """The half precision of the files is gone once loaded, and the same noise gives the same picture."""
    from diffusers import StableDiffusion3Pipeline

    autoencoder = build_autoencoder()
    autoencoder.register_to_config(shift_factor=0.0, scaling_factor=1.0)
    save(assemble(painter, tokenizer, autoencoder), tmp_path)
    pipeline = StableDiffusion3Pipeline.from_pretrained(tmp_path, text_encoder_3=None, tokenizer_3=None)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.transformer.dtype == pipeline.vae.dtype == pipeline.text_encoder.dtype == torch.float32
    assert pipeline.tokenizer_max_length == PROMPT_TOKENS
    pictures = [
        pipeline(
            ["vivid red star. Style: photorealistic."],
            num_inference_steps=2,
            guidance_scale=3.0,
            height=48,
            width=48,
            max_sequence_length=EMPTY_TOKENS,
            generator=torch.Generator().manual_seed(5),
        ).images[0]
        for _ in range(2)
    ]
    assert pictures[0].size == (48, 48)
    assert pictures[0].tobytes() == pictures[1].tobytes()
