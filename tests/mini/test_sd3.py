"""mini-sd3: its tokenizer, its lesson, and that it is saved as diffusers expects it."""

import random

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from daitir.mini.language import all_of, prompt  # noqa: E402
from daitir.mini.optimizers import MuonAndAdam  # noqa: E402
from daitir.mini.sd3 import EMPTY_TOKENS, PROMPT_TOKENS, Painter, assemble, build_tokenizer, save  # noqa: E402
from daitir.mini.train_autoencoder import build_autoencoder, pixels_of, reconstruction  # noqa: E402
from daitir.mini.train_sd3 import Lesson, known_of, matrices_and_others  # noqa: E402
from daitir.mini.trainer import Plan, take_step  # noqa: E402
from daitir.mini.world import draw_scene  # noqa: E402


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
    facts = [known_of(scene, rng).facts for _ in range(300)]
    assert all(known <= all_of(scene).facts for known in facts)
    assert min(map(len, facts)) <= 2
    assert max(map(len, facts)) == 13


def test_untrained_painter_learns_something(painter, tokenizer):
    """One step of the lesson moves the weights and leaves them finite."""
    latents = torch.randn(50, 8, 12, 12)
    lesson = Lesson(painter, tokenizer, latents, fuse=False)
    optimizer = MuonAndAdam(*matrices_and_others(painter))
    assert len(list(painter.parameters())) == sum(
        len(part.param_groups[0]["params"]) for part in optimizer.parts
    )
    before = {name: weight.clone() for name, weight in painter.named_parameters()}
    losses = [take_step(painter, optimizer, lesson, Plan(10, 1e-3), step)["loss"] for step in range(2)]
    assert losses[0].item() == pytest.approx(2, abs=0.3)
    assert any(not torch.equal(weight, before[name]) for name, weight in painter.named_parameters())
    assert all(weight.isfinite().all() for weight in painter.parameters())


def test_optimizer_is_restored(painter):
    """A resumed run goes on with the moments that it had."""
    first = MuonAndAdam(*matrices_and_others(painter))
    for weight in painter.parameters():
        weight.grad = torch.ones_like(weight)
    first.param_groups[0]["lr"] = 0.0
    first.param_groups[1]["lr"] = 0.0
    first.step()
    second = MuonAndAdam(*matrices_and_others(painter))
    second.load_state_dict(first.state_dict())
    assert len(second.state_dict()["parts"][0]["state"]) == len(first.state_dict()["parts"][0]["state"]) > 0


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

    save(assemble(painter, tokenizer, build_autoencoder()), tmp_path)
    pipeline = StableDiffusion3Pipeline.from_pretrained(tmp_path)
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
