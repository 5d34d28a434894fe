"""Convert a checkpoint of ADaFuSE's own program into weights for a fusion of kind adafuse-released.

Takes a training checkpoint (Adafuse_state_dict in it, or its moving average with --average) or the module's
weights alone; the sizes are read from the weights. All else in a training checkpoint (optimiser, schedule,
encoder) is left out; a weight of the module that is left over or missing stops the conversion.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

import daitir
from daitir.convert.checkpoints import (
    model_directory,
    read_state,
    require_absent,
    require_exact,
    sha256_of,
    without_prefix,
)
from daitir.errors import DaitirError
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.trained import FILE, released_network
from daitir.provenance import provenance
from daitir.weights import write_weights

WEIGHTS, AVERAGE = "Adafuse_state_dict", "Adafuse_ema_state_dict"
ANCHOR = "text_projection_layer.weight"
# The network's names here and there; the experts' are numbered.
RENAMED = (
    ("project_text.0.", "text_projection_layer."),
    ("project_image.0.", "image_projection_layer."),
    ("gate.layers.0.0.", "dynamic_scalar.0."),
    ("gate.layers.1.", "dynamic_scalar.3."),
    ("mixture.experts.", "experts."),
    ("mixture.router.", "moe_router."),
    ("mixture.residual.0.", "output_layer."),
    ("log_scale", "logit_scale"),
)
CARD = """Converted by daitir {version} (`python -m daitir.convert adafuse`) from `{name}`, SHA-256
`{digest}`: ADaFuSE's fusion for features of {width}. Which encoder it was trained on, the file does not say.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this converter takes."""
    parser.add_argument("input", type=Path, metavar="IN", help="checkpoint, .pt or .pth")
    parser.add_argument("output", type=Path, metavar="OUT", help="directory to write; must not exist")
    parser.add_argument(
        "--average", action="store_true", help="take the moving average of the weights that training kept"
    )


def run(arguments: argparse.Namespace) -> None:
    """Convert and print a line that says what was written."""
    path, output = arguments.input, arguments.output
    require_absent(output)
    found = read_state(path, (AVERAGE,), alone=False) if arguments.average else read_state(path, (WEIGHTS,))
    state = without_prefix(found, ANCHOR, path)
    tensors = {own_name(name): tensor.float() for name, tensor in state.items()}
    network = network_of(tensors, state, path)
    record = provenance("convert", {"fusion": {"kind": "adafuse-released"}, "seed": 0})
    record |= {"inputs": {"checkpoint": sha256_of(path)}, "encoder": None}
    with model_directory(output) as folder:
        write_weights(folder / FILE, {name: tensors[name] for name in network.state_dict()}, record)
        card = CARD.format(
            version=daitir.__version__, name=path.name, digest=sha256_of(path), width=network.width
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
    count = sum(tensor.numel() for tensor in tensors.values())
    print(f"{output}: ADaFuSE for features of {network.width}, {count:,} weights from {path.name}")


def network_of(tensors: dict[str, Tensor], state: dict[str, Tensor], path: Path) -> Adafuse:
    """Return the network that the weights fill exactly; faults are named as the checkpoint names them."""
    try:
        with torch.device("meta"):
            network = released_network(tensors)
    except KeyError as error:
        raise DaitirError(
            f"{path} lacks {original_name(error.args[0])!r}: is it a checkpoint of this layout?"
        ) from None
    expected = {original_name(name): tensor.shape for name, tensor in network.state_dict().items()}
    require_exact(state, expected, path)
    return network


def original_name(name: str) -> str:
    """Return the checkpoint's name of a weight of ours."""
    for here, there in RENAMED:
        if name.startswith(here):
            return name.replace(here, there, 1)
    return name


def own_name(name: str) -> str:
    """Return our name of a weight of the checkpoint."""
    for here, there in RENAMED:
        if name.startswith(there):
            return name.replace(there, here, 1)
    return name
