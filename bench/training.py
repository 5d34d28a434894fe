"""An epoch of ADaFuSE against its bare matrix products: ``python -m bench.training``.

The published sizes, batch and accumulation, features of width 256 that lie in memory; the trainer's whole
epoch, its checkpoint included, on one thread. The other side takes the matrix products of the same batches
alone, forward and backward, of each layer and of the loss.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from bench.common import Row, in_turn, parser_of, tell

from daitir.exact import one_thread
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import TrainOptions
from daitir.fusions.training.data import TrainingData
from daitir.fusions.training.trainer import Trainer

WIDTH, PROJECTION, HIDDEN, EXPERTS = 256, 512, 2048, 4  # BLIP ViT-B/16, as published


def make_data(dialogues: int) -> TrainingData:
    """Return dialogues of one round that look for an image each."""
    text_MD, image_MD, corpus_ND = F.normalize(torch.randn(3, dialogues, WIDTH), dim=-1)
    place_S = torch.arange(dialogues)
    return TrainingData(
        text_MD=text_MD,
        images_MKD=image_MD[:, None],
        round_M=torch.zeros(dialogues, dtype=torch.long),
        target_M=place_S,
        first_S=place_S,
        count_S=torch.ones(dialogues, dtype=torch.long),
        corpus_ND=corpus_ND,
    )


def layers_of(network: torch.nn.Module, batch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return an input and the weight of each matrix product of a batch, the loss's among them."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            seen.append((torch.randn(batch, module.in_features), module.weight.detach()))
    return [*seen, (torch.randn(batch, WIDTH), torch.randn(batch, WIDTH))]


def multiply(layers: list[tuple[torch.Tensor, torch.Tensor]], batches: int) -> None:
    """Take the products of some batches in a network's order: outputs; then, backwards, gradients."""
    for _ in range(batches):
        outputs = [input_BI @ weight_OI.T for input_BI, weight_OI in layers]
        for (input_BI, weight_OI), output_BO in zip(reversed(layers), reversed(outputs), strict=True):
            output_BO.T @ input_BI
            output_BO @ weight_OI


def measure(dialogues: int, folder: Path) -> Iterator[Row]:
    """Yield the row."""
    torch.manual_seed(0)
    options = TrainOptions(dialogues="synthetic")
    data, held_out = make_data(dialogues), make_data(options.batch)
    network = Adafuse(WIDTH, PROJECTION, HIDDEN, EXPERTS, dropout=0.2)
    epochs = Trainer(network, options, data, held_out, 0, folder / "state.pt").epochs()
    layers, batches = layers_of(network, options.batch), -(-dialogues // options.batch)
    next(epochs)
    with one_thread():
        ours, bare = in_turn(lambda: next(epochs), lambda: multiply(layers, batches), repeats=3)
    figures = f"{ours:.1f} s and {bare:.1f} s; {dialogues:,} dialogues, batches of {options.batch}"
    yield Row("train ADaFuSE, an epoch", "its matrix products", ours / bare, "at most 1.3", figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("--dialogues", type=int, default=16_384, help="dialogues of an epoch")
    call = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tell(measure(call.dialogues, Path(folder)), call.json)


if __name__ == "__main__":
    main()
