"""An epoch of ADaFuSE against its bare matrix products: ``python -m bench.training``.

The published sizes, batch and accumulation, features of width 256 that lie in memory; the trainer's whole
epoch, its checkpoint included, on one thread. The other side takes the matrix products of an epoch alone, of
each layer and of the loss, forward and backward, into memory that is there already; no gradient that nobody
needs. It is given the faster of two ways: batch by batch, or as many rows at once as the trainer takes.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from bench.common import Row, in_turn, parser_of, tell
from torch import Tensor

from daitir.exact import one_thread
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import TrainOptions
from daitir.fusions.training.data import TrainingData
from daitir.fusions.training.trainer import TOGETHER, Trainer

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


class Product(NamedTuple):
    """A layer's input, weight and output; and where its gradients go, if anybody needs them."""

    input_BI: Tensor
    weight_OI: Tensor
    output_BO: Tensor
    weight_gradient_OI: Tensor | None
    input_gradient_BI: Tensor | None


def products_of(network: torch.nn.Module, data: TrainingData, rows: int, batch: int) -> list[Product]:
    """Return the matrix products of some rows in the order in which a network takes them, then the loss's."""
    found: list[Product] = []

    def keep(layer: torch.nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, torch.nn.Linear)
        (input_BI,) = given
        gradient_BI = torch.empty_like(input_BI) if input_BI.requires_grad else None
        weight_OI = layer.weight.detach()
        found.append(
            Product(input_BI.detach(), weight_OI, output.detach(), torch.empty_like(weight_OI), gradient_BI)
        )

    layers = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    fused = network(data.text_MD[:rows], data.images_MKD[:rows], data.round_M[:rows])
    for hook in hooks:
        hook.remove()
    query_BD = fused.query_BD.detach()
    for query, target in zip(query_BD.split(batch), data.corpus_ND[:rows].split(batch), strict=True):
        found.append(Product(query, target, query @ target.T, None, torch.empty_like(query)))
    return found


def multiply(products: list[Product], times: int) -> None:
    """Take some products again and again in a network's order: outputs; then, backwards, gradients."""
    for _ in range(times):
        for one in products:
            torch.mm(one.input_BI, one.weight_OI.T, out=one.output_BO)
        for one in reversed(products):
            if one.weight_gradient_OI is not None:
                torch.mm(one.output_BO.T, one.input_BI, out=one.weight_gradient_OI)
            if one.input_gradient_BI is not None:
                torch.mm(one.output_BO, one.weight_OI, out=one.input_gradient_BI)


def measure(dialogues: int, folder: Path) -> Iterator[Row]:
    """Yield the row."""
    torch.manual_seed(0)
    options = TrainOptions(dialogues="synthetic")
    data, held_out = make_data(dialogues), make_data(options.batch)
    network = Adafuse(WIDTH, PROJECTION, HIDDEN, EXPERTS, dropout=0.2)
    epochs = Trainer(network, options, data, held_out, 0, folder / "state.pt").epochs()
    next(epochs)
    works: list[Callable[[], Any]] = [lambda: next(epochs)]
    for rows in (options.batch, options.batch * TOGETHER):
        products = products_of(network, data, min(rows, dialogues), options.batch)
        works.append(partial(multiply, products, -(-dialogues // rows)))
    with one_thread():
        ours, *bare = in_turn(*works, repeats=3)
    figures = (
        f"{ours:.1f} s; products {' and '.join(f'{spent:.1f} s' for spent in bare)}, of {options.batch} and"
        f" {options.batch * TOGETHER} rows; {dialogues:,} dialogues, batches of {options.batch}"
    )
    yield Row("train ADaFuSE, an epoch", "its matrix products", ours / min(bare), "at most 1.3", figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("--dialogues", type=int, default=16_384, help="dialogues of an epoch")
    call = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tell(measure(call.dialogues, Path(folder)), call.json)


if __name__ == "__main__":
    main()
