"""Measure mini-sd3: how much of what its prompts say can be seen in its pictures.

    python -m daitir.mini.judge --model resources/models/mini-sd3 --blip resources/models/mini-blip

draws pictures for scenes that no model was trained on. Two judges look at them: the world's own reader, and
mini-blip, who must prefer the true text of a thing to one with another colour or shape (a coin is right half
of the time).
"""

from __future__ import annotations

import argparse
import json
import random
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from daitir.files import atomic, write_text
from daitir.mini.language import Known, all_of, phrase, prompt
from daitir.mini.reading import read_scene
from daitir.mini.sd3 import EMPTY_TOKENS
from daitir.mini.talk import hold_dialogue
from daitir.mini.world import COLOURS, SHAPES, SIDE, Scene, Thing, draw_scene, render

if TYPE_CHECKING:
    from diffusers import StableDiffusion3Pipeline

Shares = dict[str, float]


@dataclass(frozen=True)
class Drawing:
    """What a prompt knew, its words, and the picture that came of it."""

    known: Known
    prompt: str
    picture: Image.Image


def ask_for(count: int, round_: int | None, seed: int = 0) -> list[tuple[Known, str]]:
    """Say what is known of unseen scenes, everything or after ``round_`` rounds, and a prompt that tells."""
    rng = random.Random(f"judge/{seed}")
    asked = []
    for i in range(count):
        scene = draw_scene(rng, "val")
        known = all_of(scene) if round_ is None else hold_dialogue(scene, rng)[round_].known
        asked.append((known, prompt(known, 1 + i % 3)))
    return asked


def load(model: Path, device: str) -> StableDiffusion3Pipeline:
    """The pipeline, silent."""
    from diffusers import StableDiffusion3Pipeline

    pipeline = StableDiffusion3Pipeline.from_pretrained(model, text_encoder_3=None, tokenizer_3=None)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def draw(
    pipeline: StableDiffusion3Pipeline, asked: list[tuple[Known, str]], steps: int, guidance: float
) -> list[Drawing]:
    """One picture a prompt, each from noise of its own."""
    drawings: list[Drawing] = []
    for start in range(0, len(asked), 50):
        part = asked[start : start + 50]
        pictures = pipeline(
            [text for _, text in part],
            num_inference_steps=steps,
            guidance_scale=guidance,
            height=SIDE,
            width=SIDE,
            max_sequence_length=EMPTY_TOKENS,
            generator=[torch.Generator().manual_seed(start + i) for i in range(len(part))],
        ).images
        drawings += [Drawing(*each, picture) for each, picture in zip(part, pictures, strict=True)]
    return drawings


@torch.no_grad()
def repaint(pipeline: StableDiffusion3Pipeline, asked: list[tuple[Known, str]]) -> list[Drawing]:
    """The true pictures of scenes of which all is known, once through the autoencoder: the best there is."""
    pictures = [
        render(Scene(str(known.background), known.things), seed) for seed, (known, _) in enumerate(asked)
    ]
    pixels = pipeline.image_processor.preprocess(pictures).to(pipeline.device)
    decoded = pipeline.vae.decode(pipeline.vae.encode(pixels).latent_dist.mode()).sample
    repainted = pipeline.image_processor.postprocess(decoded)
    return [Drawing(*each, picture) for each, picture in zip(asked, repainted, strict=True)]


def judge_by_reading(drawings: Iterable[Drawing]) -> Shares:
    """Share of what the prompts say that the reader finds, by kind of attribute, and of prompts found whole.

    A shape is right wherever it is; a colour, a size and a place only on the thing they were said of.
    """
    right, said = Counter[str](), Counter[str]()
    for drawing in drawings:
        wanted, seen = drawing.known.facts, all_of(read_scene(drawing.picture)).facts
        for shape, attribute, value in wanted:
            kind = "background" if shape == "background" else attribute
            said[kind] += 1
            right[kind] += (shape, attribute, value) in seen
        said["whole prompt"] += 1
        right["whole prompt"] += wanted <= seen
    return {kind: round(right[kind] / said[kind], 3) for kind in sorted(said)}


def judge_by_blip(drawings: list[Drawing], model: Path, device: str) -> Shares:
    """Share of things whose true text is nearer to the picture than the text with another colour or shape."""
    rng = random.Random("swaps")
    right, said = Counter[str](), Counter[str]()
    score = blip_scores(model, device)
    for drawing in drawings:
        pairs = [
            (kind, thing, other)
            for thing in drawing.known.things
            for kind, other in lies(thing, drawing, rng)
        ]
        scores = score(drawing.picture, [phrase(each) for _, *both in pairs for each in both]).view(-1, 2)
        for (kind, _, _), (truth, lie) in zip(pairs, scores.tolist(), strict=True):
            said[kind] += 1
            right[kind] += truth > lie
    return {kind: round(right[kind] / said[kind], 3) for kind in sorted(said)}


def lies(thing: Thing, drawing: Drawing, rng: random.Random) -> Iterator[tuple[str, Thing]]:
    """The thing with a shape that the prompt does not speak of, and with another colour if it has one."""
    absent = [shape for shape in SHAPES if shape not in drawing.known.shapes]
    yield "shape", replace(thing, shape=rng.choice(absent))
    if thing.colour:
        yield "colour", replace(thing, colour=rng.choice([name for name in COLOURS if name != thing.colour]))


def blip_scores(model: Path, device: str) -> Callable[[Image.Image, list[str]], Tensor]:
    """A function of a picture and texts: the cosine of each text with the picture."""
    from transformers import BlipForImageTextRetrieval, BlipProcessor

    processor = BlipProcessor.from_pretrained(model)
    blip = BlipForImageTextRetrieval.from_pretrained(model, dtype=torch.float32).eval().to(device)

    @torch.no_grad()
    def score(picture: Image.Image, texts: list[str]) -> Tensor:
        inputs = processor(images=picture, text=texts, padding=True, return_tensors="pt").to(device)
        image = blip.vision_proj(blip.vision_model(inputs.pixel_values).last_hidden_state[:, 0])
        words = blip.text_encoder(inputs.input_ids, inputs.attention_mask).last_hidden_state[:, 0]
        return F.cosine_similarity(blip.text_proj(words), image)

    return score


def contact_sheet(drawings: list[Drawing], columns: int = 4) -> Image.Image:
    """Pictures, three times as large, each over its prompt."""
    side, caption = 3 * SIDE, 62
    width, height = side + 76, side + caption
    rows = -(-len(drawings) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    pen = ImageDraw.Draw(sheet)
    for i, drawing in enumerate(drawings):
        left, top = i % columns * width, i // columns * height
        sheet.paste(drawing.picture.resize((side, side), Image.Resampling.LANCZOS), (left + 8, top + 4))
        text = drawing.prompt.removesuffix(" Style: photorealistic.")
        pen.multiline_text((left + 8, top + side + 8), wrap(text, 34), fill="black", font_size=11, spacing=2)
    return sheet


def wrap(text: str, width: int) -> str:
    """Break ``text`` into lines of ``width`` letters at most."""
    return "\n".join(textwrap.wrap(text, width))


def measure(arguments: argparse.Namespace) -> dict[str, Shares]:
    """The shares by set and judge: true pictures, prompts that say all, prompts of some rounds."""
    pipeline = load(arguments.model, arguments.device)
    whole = ask_for(arguments.pictures, None)
    sets = {"autoencoder alone": repaint(pipeline, whole)}
    for name, asked in (
        ("all", whole),
        *((f"round {r}", ask_for(arguments.pictures, r)) for r in (2, 5, 10)),
    ):
        sets[name] = draw(pipeline, asked, arguments.steps, arguments.guidance)
    if arguments.sheet:
        with atomic(arguments.sheet) as partial:
            contact_sheet(sets["all"][:8] + sets["round 5"][:8]).save(partial, "PNG", optimize=True)
    shares = {}
    for name, drawings in sets.items():
        shares[f"{name}, read"] = judge_by_reading(drawings)
        if arguments.blip:
            shares[f"{name}, blip"] = judge_by_blip(drawings, arguments.blip, arguments.device)
    return shares


def main() -> None:
    """Print the shares, and write them and the contact sheet where they are wanted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="directory of the pipeline")
    parser.add_argument("--blip", type=Path, help="directory of mini-blip, the second judge")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, help="JSON file of the shares")
    parser.add_argument("--sheet", type=Path, help="PNG of the first pictures and their prompts")
    arguments = parser.parse_args()
    shares = measure(arguments)
    text = json.dumps(shares, indent=1)
    print(text)
    if arguments.output:
        write_text(arguments.output, text + "\n")


if __name__ == "__main__":
    main()
