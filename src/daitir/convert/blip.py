"""Convert a BLIP checkpoint of Salesforce or ChatIR into a BlipForImageTextRetrieval directory.

Takes the layout of BLIP's own programs (visual_encoder.blocks.N..., text_encoder.encoder.layer.N...), base or
large, pretrained or tuned for retrieval. What only training needs (momentum copies, queues, the temperature,
the caption decoder) is dropped by its name; any other weight left over or missing stops the conversion.
"""

import argparse
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoTokenizer, BlipProcessor

import daitir
from daitir.compute import call_loader, quiet_libraries
from daitir.convert.blip_weights import DROPPED, POSITIONS, WORDS, build_model, image_size_of, weight_of
from daitir.convert.checkpoints import (
    model_directory,
    read_state,
    require_absent,
    sha256_of,
    without_prefix,
)
from daitir.errors import DaitirError

TOKENIZER = "Salesforce/blip-itm-base-coco"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
CARD = """Converted by daitir {version} (`python -m daitir.convert blip`) from `{name}`, SHA-256
`{digest}`: BLIP's retrieval encoder for images of {size} x {size} pixels{change}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this converter takes."""
    parser.add_argument("input", type=Path, metavar="IN", help="checkpoint, .pth or .ckpt")
    parser.add_argument("output", type=Path, metavar="OUT", help="model directory to write; must not exist")
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="N",
        help="pixels a side; position embeddings are interpolated (default: the checkpoint's own)",
    )
    parser.add_argument(
        "--tokenizer",
        default=TOKENIZER,
        metavar="DIR_OR_HUB_ID",
        help="BERT's vocabulary; [DEC] and [ENC] are added where it lacks them (default: %(default)s)",
    )
    parser.add_argument("--tokenizer-revision", metavar="COMMIT", help="revision of a hub tokenizer")


def run(arguments: argparse.Namespace) -> None:
    """Convert and print a line that says what was written."""
    quiet_libraries("transformers")
    path, output = arguments.input, arguments.output
    require_absent(output)
    state = without_prefix(read_state(path), POSITIONS, path)
    kept = {name: tensor.float() for name, tensor in state.items() if not DROPPED.fullmatch(name)}
    own_size = image_size_of(kept, path)
    size = arguments.image_size or own_size
    tokenizer = load_tokenizer(arguments.tokenizer, arguments.tokenizer_revision, kept, path)
    model = build_model(kept, size, tokenizer, path)
    processor = BlipProcessor(image_processor(size), tokenizer)
    change = "" if size == own_size else f", its position embeddings interpolated from {own_size}"
    with model_directory(output) as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        card = CARD.format(
            version=daitir.__version__, name=path.name, digest=sha256_of(path), size=size, change=change
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
    vision, weights = model.config.vision_config, sum(weight.numel() for weight in model.parameters())
    print(
        f"{output}: BlipForImageTextRetrieval, vision {vision.num_hidden_layers} layers of"
        f" {vision.hidden_size} at {size} px{change}, {weights / 1e6:.1f} M weights from {path.name},"
        f" {len(state) - len(kept)} of training dropped"
    )


def image_processor(size: int) -> Any:
    """Return BLIP's own preparation of pictures: a bicubic square of ``size``, CLIP's mean and deviation."""
    from transformers import BlipImageProcessor  # its import has a hint that quiet_libraries holds back

    return BlipImageProcessor(
        size={"height": size, "width": size}, resample=3, image_mean=list(MEAN), image_std=list(STD)
    )


def load_tokenizer(model: str, revision: str | None, state: dict[str, Tensor], path: Path) -> Any:
    """Return the tokenizer with a word for each row of the checkpoint's embeddings, [DEC] and [ENC] last."""
    tokenizer = call_loader(AutoTokenizer.from_pretrained, model, revision=revision, trust_remote_code=False)
    rows = weight_of(state, WORDS, path).shape[0]
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    tokenizer.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
    last = tokenizer.convert_tokens_to_ids(["[DEC]", "[ENC]"])
    if len(tokenizer) != rows or last != [rows - 2, rows - 1]:
        raise DaitirError(
            f"tokenizer {model} has {len(tokenizer)} tokens with [DEC] and [ENC] at {last}, {path} has"
            f" {rows} with them last: give the checkpoint's own with --tokenizer"
        )
    return tokenizer
