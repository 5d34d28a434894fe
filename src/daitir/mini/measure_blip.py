"""Measures mini-blip: how often a text finds its target among the 3,000 pictures of the evaluation corpus.

The texts are the true descriptions of what each dialogue has told, the dialogues themselves, and, with
``--llm``, what a reformulator makes of them.

Shape suffixes: N pictures, Q dialogues, R rounds, C channels, H height, W width.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import BlipForImageTextRetrieval, BlipProcessor

from daitir.mini.chats import query_request
from daitir.mini.language import describe
from daitir.mini.make import EVALUATION, draw_corpus
from daitir.mini.measure_llm import Rewriter
from daitir.mini.talk import Turn, hold_dialogue
from daitir.mini.world import render

SHOWN = (0, 1, 2, 5, 8, 10)
K = 10


class Encoder:
    """Features of unit length from a model directory."""

    def __init__(self, model: Path, batch_size: int = 128):
        self.processor = BlipProcessor.from_pretrained(model)
        self.model = BlipForImageTextRetrieval.from_pretrained(model).eval()
        self.batch_size = batch_size

    @torch.inference_mode()
    def images(self, images: Sequence[Image.Image]) -> Tensor:
        """Features of pictures, one row each."""
        return torch.cat([self._images(images[i : i + self.batch_size]) for i in self._starts(images)])

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Features of texts, one row each."""
        return torch.cat([self._texts(texts[i : i + self.batch_size]) for i in self._starts(texts)])

    def _starts(self, items: Sequence[object]) -> range:
        return range(0, len(items), self.batch_size)

    def _images(self, images: Sequence[Image.Image]) -> Tensor:
        pixels_BCHW = self.processor.image_processor(list(images), return_tensors="pt").pixel_values
        first_BD = self.model.vision_model(pixels_BCHW).last_hidden_state[:, 0]
        return F.normalize(self.model.vision_proj(first_BD), dim=-1)

    def _texts(self, texts: Sequence[str]) -> Tensor:
        batch = self.processor.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        first_BD = self.model.text_encoder(
            batch.input_ids, attention_mask=batch.attention_mask
        ).last_hidden_state[:, 0]
        return F.normalize(self.model.text_proj(first_BD), dim=-1)


def ranks(
    encoder: Encoder, texts: Sequence[Sequence[str]], corpus_ND: Tensor, targets: Sequence[int]
) -> Tensor:
    """Rank of each dialogue's target at each round, Q x R; ties count against the target."""
    features_QRD = encoder.texts([text for row in texts for text in row]).view(
        len(texts), -1, corpus_ND.shape[1]
    )
    scores_QRN = features_QRD @ corpus_ND.T
    own_QR1 = scores_QRN.gather(2, torch.tensor(targets)[:, None, None].expand(-1, scores_QRN.shape[1], 1))
    return (scores_QRN >= own_QR1).sum(dim=2)


def report(name: str, ranks_QR: Tensor) -> str:
    """Hits@10, cumulative over the rounds, and Recall@10 of each round, in per cent."""
    found_QR = ranks_QR <= K
    lines = []
    for measure, values_QR in (("Hits", found_QR.cummax(dim=1).values), ("Recall", found_QR)):
        shares = "  ".join(f"{100 * values_QR[:, r].float().mean():5.1f}" for r in SHOWN)
        lines.append(f"{name:28} {measure:6}@{K}  {shares}")
    return "\n".join(lines)


def draw_dialogues(scenes: Sequence, style: str, count: int, seed: int) -> tuple[list[int], list[list[Turn]]]:
    """Positions of ``count`` targets and a dialogue about each."""
    rng = random.Random(f"measure/{style}/{seed}")
    targets = rng.sample(range(len(scenes)), count)
    return targets, [hold_dialogue(scenes[target], rng, style) for target in targets]


def main() -> None:
    """Print a table: texts and measure, then the rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--llm", type=Path, help="a reformulator whose query texts are measured as well")
    parser.add_argument("--dialogues", type=int, default=400, help="dialogues of each style")
    parser.add_argument("--styles", nargs="+", default=["human", "llm", "repetitive"])
    arguments = parser.parse_args()
    encoder = Encoder(arguments.model)
    scenes = list(draw_corpus(EVALUATION, random.Random("corpus/val/0")).values())
    corpus_ND = encoder.images([render(scene) for scene in scenes])
    print(f"{'round':41}  " + "  ".join(f"{round_:5}" for round_ in SHOWN))
    for style in arguments.styles:
        targets, dialogues = draw_dialogues(scenes, style, arguments.dialogues, seed=0)
        said = [[[turn.text for turn in turns[: r + 1]] for r in range(len(turns))] for turns in dialogues]
        texts = {
            "true descriptions": [[describe(turn.known) for turn in turns] for turns in dialogues],
            "joined dialogues": [[", ".join(turns) for turns in rounds] for rounds in said],
        }
        if arguments.llm:
            flat = Rewriter(arguments.llm).answer(
                [query_request(turns) for rounds in said for turns in rounds]
            )
            width = len(said[0])
            texts["rewritten"] = [flat[i * width : (i + 1) * width] for i in range(len(said))]
        for name, rows in texts.items():
            print(report(f"{style}, {name}", ranks(encoder, rows, corpus_ND, targets)), flush=True)


if __name__ == "__main__":
    main()
