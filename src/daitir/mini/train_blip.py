"""Trains mini-blip: a BlipForImageTextRetrieval that tells which picture a partial description means."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForImageTextRetrieval,
    BlipImageProcessor,
    BlipProcessor,
)

from daitir.mini.language import Known, all_of
from daitir.mini.optimizers import MuonAndAdam
from daitir.mini.pairs import (
    FACTS,
    Pictures,
    cells,
    degrade,
    draw_pictures,
    draw_text,
    fact_vector,
    forget_words,
    sample_texts,
    vocabulary,
)
from daitir.mini.trainer import Losses, Plan, command_line, train
from daitir.mini.world import CELL, COLOURS, SHAPES, SIDE, SIZES, Scene

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_TOKENS = 384
PATCH = 8
CELL_CLASSES = (1 + len(SHAPES), len(COLOURS), len(SIZES))
BATCH = 256
POOL = 1500  # albums drawn once, at the start


class DualEncoder(nn.Module):
    """BLIP's two encoders and what helps to train them and is dropped afterwards.

    That is the temperature, linear heads that read the facts of the world from either encoder's first token,
    and one that names the thing in each of the nine cells from the patches there: without them the contrast
    alone finds no more than the background for hundreds of steps.
    """

    def __init__(self, blip: BlipForImageTextRetrieval):
        super().__init__()
        self.blip = blip
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        width = blip.config.vision_config.hidden_size
        self.picture_facts = nn.Linear(width, len(FACTS))
        self.text_facts = nn.Linear(blip.config.text_config.hidden_size, len(FACTS))
        self.cells = nn.Linear(width, sum(CELL_CLASSES))

    def images(self, pixels_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of unit length, the logits of the facts, and those of the nine cells."""
        hidden_BTD = self.blip.vision_model(pixels_BCHW).last_hidden_state
        first_BD = hidden_BTD[:, 0]
        patches_BDHW = hidden_BTD[:, 1:].transpose(1, 2).unflatten(2, (SIDE // PATCH, SIDE // PATCH))
        cells_BND = F.avg_pool2d(patches_BDHW, CELL // PATCH).flatten(2).transpose(1, 2)
        features_BD = F.normalize(self.blip.vision_proj(first_BD).float(), dim=-1)
        return features_BD, self.picture_facts(first_BD).float(), self.cells(cells_BND).float()

    def texts(self, tokens_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Features of unit length, and the logits of the facts."""
        first_BD = self.blip.text_encoder(tokens_BT, attention_mask=mask_BT).last_hidden_state[:, 0]
        return F.normalize(self.blip.text_proj(first_BD).float(), dim=-1), self.text_facts(first_BD).float()


@dataclass
class Contrast:
    """Symmetric InfoNCE over a batch of pictures and one text for each, and the facts that either shows."""

    model: DualEncoder
    processor: BlipProcessor
    pictures: Pictures
    device: str

    def __call__(self, step: int, rng: random.Random) -> Losses:
        """Losses of a batch; ``right`` is the share of texts that find their picture in it."""
        chosen = self.pictures.sample(rng, BATCH)
        scenes = [self.pictures.scenes[i] for i in chosen]
        texts, known = zip(*(draw_text(scene, rng) for scene in scenes), strict=True)
        pixels_BCHW = self.normalise(degrade(self.pictures.pixels[chosen], rng))
        images_BD, shown_BF, cells_BNV = self.model.images(pixels_BCHW.to(self.device))
        texts_BD, told_BF = self.encode_texts([forget_words(text, rng) for text in texts])
        scores_BB = images_BD @ texts_BD.T * self.model.log_scale.exp().clamp(max=100)
        own_B = torch.arange(len(chosen), device=scores_BB.device)
        contrast = (F.cross_entropy(scores_BB, own_B) + F.cross_entropy(scores_BB.T, own_B)) / 2
        shown = fact_loss(shown_BF, [all_of(scene) for scene in scenes]) + cell_loss(cells_BNV, scenes)
        told = fact_loss(told_BF, known)
        right = (scores_BB.argmax(dim=0) == own_B).float().mean()
        return {
            "loss": contrast + shown + told,
            "contrast": contrast,
            "shown": shown,
            "told": told,
            "right": right,
        }

    def normalise(self, images_BCHW: Tensor) -> Tensor:
        """Shift and scale of the pixels as the processor does it."""
        mean, std = (
            torch.tensor(values).view(1, 3, 1, 1)
            for values in (
                self.processor.image_processor.image_mean,
                self.processor.image_processor.image_std,
            )
        )
        return (images_BCHW - mean) / std

    def encode_texts(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Features and fact logits of texts; the long ones have a batch of their own, which saves padding."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        border = round(0.85 * len(order))
        parts = []
        for part in filter(None, (order[:border], order[border:])):
            batch = self.processor.tokenizer(
                [texts[i] for i in part],
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(self.device)
            parts.append(self.model.texts(batch.input_ids, batch.attention_mask))
        back = torch.tensor(order).argsort()
        features, facts = (torch.cat(column)[back] for column in zip(*parts, strict=True))
        return features, facts


def fact_loss(logits_BF: Tensor, known: Sequence[Known]) -> Tensor:
    """Binary cross-entropy of the facts, summed over them and scaled to the size of the contrast."""
    truth_BF = torch.tensor([fact_vector(one) for one in known], device=logits_BF.device)
    return F.binary_cross_entropy_with_logits(logits_BF, truth_BF, reduction="sum") / len(logits_BF) / 10


def cell_loss(logits_BNV: Tensor, scenes: Sequence[Scene]) -> Tensor:
    """Cross-entropy of shape (or nothing), colour and size of the thing in each cell."""
    truth_BN3 = torch.tensor([cells(scene) for scene in scenes], device=logits_BNV.device)
    parts = zip(logits_BNV.split(CELL_CLASSES, dim=-1), truth_BN3.unbind(-1), strict=True)
    return sum(
        (F.cross_entropy(logits.flatten(0, 1), truth.flatten()) for logits, truth in parts), torch.zeros(())
    )


def build_processor() -> BlipProcessor:
    """A processor for the world's pictures whose vocabulary holds every word of its language."""
    words = [*SPECIAL, *vocabulary(sample_texts(3000))]
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(words)}, model_max_length=MAX_TOKENS)
    return BlipProcessor(BlipImageProcessor(size={"height": SIDE, "width": SIDE}), tokenizer)


def build_model(vocabulary_size: int) -> BlipForImageTextRetrieval:
    """A BLIP with random weights, 128 wide and 4 + 3 layers deep."""
    width = {"hidden_size": 128, "num_attention_heads": 4, "initializer_range": 0.02}
    text = {
        "vocab_size": vocabulary_size,
        "intermediate_size": 384,
        "num_hidden_layers": 3,
        "max_position_embeddings": MAX_TOKENS,
        "bos_token_id": SPECIAL.index("[CLS]"),
        "sep_token_id": SPECIAL.index("[SEP]"),
        "eos_token_id": SPECIAL.index("[SEP]"),
        "pad_token_id": SPECIAL.index("[PAD]"),
        "projection_dim": 128,
    }
    vision = {
        "image_size": SIDE,
        "patch_size": PATCH,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "projection_dim": 128,
    }
    config = BlipConfig(
        text_config={**width, **text},
        vision_config={**width, **vision},
        image_text_hidden_size=128,
        projection_dim=128,
    )
    return BlipForImageTextRetrieval(config)


def main() -> None:
    """Train or resume, then write the model directory."""
    parser = command_line("Train mini-blip, the retrieval encoder of the picture world.", steps=240)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    plan = Plan(arguments.steps, learning_rate=2e-3, warmup=50, seed=arguments.seed, device=arguments.device)
    processor = build_processor()
    model = DualEncoder(build_model(len(processor.tokenizer)))
    pictures = draw_pictures(arguments.seed, POOL)
    optimizer = MuonAndAdam(*matrices_and_others(model.to(plan.device)))
    train(model, Contrast(model, processor, pictures, arguments.device), plan, arguments.scratch, optimizer)
    export(model, processor, arguments.output)


def matrices_and_others(model: DualEncoder) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The weights that Muon moves, those inside the layers, and the rest.

    Retrieval uses neither the cross-attention nor the head on it; they stay as they are.
    """
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        if "crossattention" not in name and "itm_head" not in name:
            (matrices if ".encoder." in name and weight.ndim == 2 else others).append(weight)
    return matrices, others


def export(model: DualEncoder, processor: BlipProcessor, output: Path) -> None:
    """Write the model directory that transformers reads."""
    model.blip.float().cpu().save_pretrained(output)
    processor.save_pretrained(output)


if __name__ == "__main__":
    main()
