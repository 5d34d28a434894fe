"""Convert a retrieval checkpoint of BEiT-3 and its sentencepiece model into a directory for kind beit3.

Takes the layout of BEiT-3's own programs (beit3.encoder.layers.N..., language_head, vision_head), base or
large, as the ITC checkpoints and those tuned for retrieval have it. Weights left over or missing stop it.
"""

import argparse
import math
import shutil
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from transformers import XLMRobertaTokenizer

import daitir
from daitir.compute import call_loader, quiet_libraries
from daitir.convert.checkpoints import (
    model_directory,
    read_state,
    require_absent,
    require_exact,
    sha256_of,
    without_prefix,
)
from daitir.encoders.networks.beit3 import FIRST_POSITION, Beit3Size, empty_network
from daitir.errors import DaitirError

WORDS = "beit3.text_embed.weight"
PATCHES = "beit3.vision_embed.proj.weight"
HIDDEN = "beit3.encoder.layers.0.ffn.A.fc1.weight"
IMAGE_POSITIONS = "beit3.encoder.embed_positions.A.weight"
TEXT_POSITIONS = "beit3.encoder.embed_positions.B.weight"
BEFORE_PATCHES = FIRST_POSITION + 1  # rows of the image's positions: two that are never read, the class token
HEAD_WIDTH = 64  # base 768/12 and large 1024/16
SPM_NAME = "sentencepiece.bpe.model"  # the only name under which transformers converts the file
CARD = """Converted by daitir {version} (`python -m daitir.convert beit3`) from `{name}`, SHA-256
`{digest}`, and `{spm}`, SHA-256 `{spm_digest}`: BEiT-3's retrieval encoder for images of {size} x {size}
pixels{change}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this converter takes."""
    parser.add_argument(
        "input", type=Path, metavar="IN", help="checkpoint, .pth; one that came as .zip is it too"
    )
    parser.add_argument("output", type=Path, metavar="OUT", help="model directory to write; must not exist")
    parser.add_argument(
        "--tokenizer", type=Path, required=True, metavar="SPM", help="BEiT-3's sentencepiece model, beit3.spm"
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="N",
        help="pixels a side; position embeddings are interpolated (default: the checkpoint's own)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Convert and print a line that says what was written."""
    quiet_libraries("transformers")
    path, output = arguments.input, arguments.output
    require_absent(output)
    state = without_prefix(read_state(path), WORDS, path)
    weights = {name: tensor.float().contiguous() for name, tensor in state.items()}
    own = size_of(weights, path)
    pixels = arguments.image_size or own.image_size
    if pixels < own.patch_size or pixels % own.patch_size:
        raise DaitirError(f"--image-size {pixels} is no multiple of the patch of {own.patch_size} pixels")
    size = own.model_copy(update={"image_size": pixels})
    weights[IMAGE_POSITIONS] = resize_positions(weights[IMAGE_POSITIONS], pixels // own.patch_size)
    expected = {name: tensor.shape for name, tensor in empty_network(size).state_dict().items()}
    require_exact(weights, expected, path)
    tokenizer = read_tokenizer(arguments.tokenizer, size.vocabulary)
    change = "" if size == own else f", its position embeddings interpolated from {own.image_size}"
    card = CARD.format(
        version=daitir.__version__,
        name=path.name,
        digest=sha256_of(path),
        spm=arguments.tokenizer.name,
        spm_digest=sha256_of(arguments.tokenizer),
        size=pixels,
        change=change,
    )
    with model_directory(output) as folder:
        (folder / "config.json").write_text(size.model_dump_json(indent=2) + "\n", encoding="utf-8")
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(card, encoding="utf-8")
    count = sum(tensor.numel() for tensor in weights.values()) / 1e6
    print(
        f"{output}: BEiT-3, {size.layers} layers of {size.width} at {pixels} px{change}, {count:.1f} M"
        f" weights from {path.name}, {len(tokenizer)} tokens from {arguments.tokenizer.name}"
    )


def size_of(state: dict[str, Tensor], path: Path) -> Beit3Size:
    """Return the sizes that the shapes of a checkpoint's weights tell."""
    lacking = [name for name in (PATCHES, HIDDEN, IMAGE_POSITIONS, TEXT_POSITIONS) if name not in state]
    if lacking:
        raise DaitirError(f"{path} has no weight {lacking[0]!r}: is it a checkpoint of BEiT-3?")
    vocabulary, width = state[WORDS].shape
    patch, grid = state[PATCHES].shape[-1], grid_of(state[IMAGE_POSITIONS], path)
    if width % HEAD_WIDTH:
        raise DaitirError(
            f"{path}: width {width} is no multiple of {HEAD_WIDTH}, the width of BEiT-3's attention heads:"
            " is it a checkpoint of BEiT-3 base or large?"
        )
    return Beit3Size(
        image_size=grid * patch,
        patch_size=patch,
        layers=len({name.split(".")[3] for name in state if name.startswith("beit3.encoder.layers.")}),
        width=width,
        heads=width // HEAD_WIDTH,
        hidden=state[HIDDEN].shape[0],
        vocabulary=vocabulary,
        text_positions=len(state[TEXT_POSITIONS]),
    )


def grid_of(positions_TD: Tensor, path: Path) -> int:
    """Return how many patches a side the position embeddings of images are for."""
    cells = len(positions_TD) - BEFORE_PATCHES
    grid = math.isqrt(max(cells, 0))
    if cells < 1 or grid * grid != cells:
        raise DaitirError(f"{path}: {IMAGE_POSITIONS!r} has {cells} positions, which are no square grid")
    return grid


def resize_positions(positions_TD: Tensor, grid: int) -> Tensor:
    """Return position embeddings for ``grid`` x ``grid`` patches (bicubic); the rows before them are kept."""
    before_TD, patches_TD = positions_TD[:BEFORE_PATCHES], positions_TD[BEFORE_PATCHES:]
    own = math.isqrt(len(patches_TD))
    if own == grid:
        return positions_TD
    plane_1DHW = patches_TD.T.unflatten(1, (own, own))[None]
    resized_1DHW = F.interpolate(plane_1DHW, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([before_TD, resized_1DHW[0].flatten(1).T]).contiguous()


def read_tokenizer(path: Path, vocabulary: int) -> XLMRobertaTokenizer:
    """Return the tokenizer of a sentencepiece model; it must fit the word embeddings.

    Its ids are XLM-R's: <s>, <pad>, </s>, <unk>, then the pieces.
    """
    if not path.is_file():
        raise DaitirError(f"{path} does not exist: give --tokenizer the downloaded beit3.spm")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / SPM_NAME)
        tokenizer = call_loader(XLMRobertaTokenizer.from_pretrained, folder)
    pieces = len(tokenizer)
    if not 5 < pieces <= vocabulary:
        raise DaitirError(
            f"{path} gives {pieces} tokens, the checkpoint has {vocabulary} word embeddings: give BEiT-3's"
            " own sentencepiece model, beit3.spm"
        )
    return tokenizer
