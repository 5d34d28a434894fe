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
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from daitir.files import atomic, write_text
from daitir.mini.language import Known, all_of, phrase, prompt
from daitir.mini.reading import read_scene
from daitir.mini.sd3 import EMPTY_TOKENS
from daitir.mini.talk import hold_dialogue
from daitir.mini.world import COLOURS, SHAPES, SIDE, draw_scene

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


def draw(
    model: Path, asked: list[tuple[Known, str]], steps: int, guidance: float, device: str
) -> list[Drawing]:
    """One picture a prompt, each from noise of its own."""
    from diffusers import StableDiffusion3Pipeline

    pipeline = StableDiffusion3Pipeline.from_pretrained(model, text_encoder_3=None, tokenizer_3=None).to(
        device
    )
    pipeline.set_progress_bar_config(disable=True)
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
        shapes = set(drawing.known.shapes)
        for thing in drawing.known.things:
            false = {
                "shape": replace(thing, shape=rng.choice([shape for shape in SHAPES if shape not in shapes]))
            }
            if thing.colour:
                false["colour"] = replace(thing, colour=rng.choice([c for c in COLOURS if c != thing.colour]))
            for kind, other in false.items():
                true_score, false_score = score(drawing.picture, [phrase(thing), phrase(other)]).tolist()
                said[kind] += 1
                right[kind] += true_score > false_score
    return {kind: round(right[kind] / said[kind], 3) for kind in sorted(said)}


def blip_scores(model: Path, device: str):  # type: ignore[no-untyped-def]
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
        picture = ImageOps.expand(drawing.picture.resize((side, side), Image.Resampling.LANCZOS), 0)
        sheet.paste(picture, (left + 8, top + 4))
        text = drawing.prompt.removesuffix(" Style: photorealistic.")
        pen.multiline_text((left + 8, top + side + 8), wrap(text, 34), fill="black", font_size=11, spacing=2)
    return sheet


def wrap(text: str, width: int) -> str:
    """Break ``text`` into lines of ``width`` letters at most."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def measure(arguments: argparse.Namespace) -> dict[str, Shares]:
    """The shares by judge, for prompts that say all and for prompts after five rounds of a dialogue."""
    shares = {}
    for name, round_ in (("all", None), ("round 5", 5)):
        asked = ask_for(arguments.pictures, round_)
        drawings = draw(arguments.model, asked, arguments.steps, arguments.guidance, arguments.device)
        shares[f"{name}, read"] = judge_by_reading(drawings)
        if arguments.blip:
            shares[f"{name}, blip"] = judge_by_blip(drawings, arguments.blip, arguments.device)
        if arguments.sheet and round_ is None:
            with atomic(arguments.sheet) as partial:
                contact_sheet(drawings[:16]).save(partial, "PNG", optimize=True)
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
