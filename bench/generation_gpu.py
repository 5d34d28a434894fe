"""Drawing on a GPU: ``python -m bench.generation_gpu MODEL`` (`bench.sd3_medium` makes one).

28 steps in bfloat16 at 512 and 1024 pixels: images a second by batch size, with and without `compile`, and
which share of the card's own matrix rate that is; against a naive loop over the pipeline's call, one prompt
at a time. The rate is that of one large product, measured in the same run; the work of a picture is that of
its transformer, counted by torch.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench.common import Row, parser_of, tell
from bench.generation import make_orders
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from daitir.generators import DiffusersOptions, Order
from daitir.generators.arguments import Arguments
from daitir.generators.diffusers import DiffusersGenerator
from daitir.generators.pipelines import load_pipeline
from daitir.overlap import Beside
from daitir.stages.generate import encode_picture

SIDE = 8192  # of the product that shows what the card can do


def matrix_rate(device: str) -> float:
    """Return the operations a second of a large product in bfloat16."""
    side = SIDE if device == "cuda" else 512
    one = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    spent = min(_timed(lambda: one @ one, device) for _ in range(10))
    return 2 * side**3 / spent


def _timed(work: Callable[[], Any], device: str) -> float:
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def work_of_a_picture(generator: DiffusersGenerator, order: Order) -> float:
    """Return the operations of one picture, counted while it is drawn."""
    with FlopCounterMode(display=False) as counter:
        list(generator.draw([order]))
    return counter.get_total_flops() / generator.options.batch_size


def drawn_a_second(generator: DiffusersGenerator, orders: list[Order]) -> float:
    """Return images a second, made JPEG beside the drawing as in the stage; the first batch warms up."""

    def encode(drawn: list[tuple[Order, Image.Image]]) -> None:
        for order, image in drawn:
            encode_picture(order, image, generator.options, {}, cut=False, lowered=None)

    def store() -> None:
        with Beside(apart=generator.device != "cpu") as beside:
            for drawn in batches:
                beside.do(partial(encode, drawn))

    batches = generator.draw(orders)
    encode(next(batches))
    return (len(orders) - generator.options.batch_size) / _timed(store, generator.device)


def one_by_one(options: DiffusersOptions, orders: list[Order]) -> float:
    """Return images a second of the naive loop."""
    pipeline = load_pipeline(options, options.device).to(options.device)
    settings = Arguments(pipeline, options).settings

    def draw(order: Order) -> None:
        pipeline(order.prompt, generator=torch.Generator("cpu").manual_seed(order.seed), **settings)

    draw(orders[0])
    return len(orders) / _timed(lambda: [draw(order) for order in orders], options.device)


def measure(model: str, device: str, side: int, steps: int, batches: list[int], count: int) -> Iterator[Row]:
    """Yield the rows of one size of pictures."""
    shared = {"model": model, "device": device, "steps": steps, "height": side, "width": side}
    shared |= {"dtype": "bfloat16", "format": "jpg", "guidance": 7.0}
    wanted = make_orders(count + max(batches), 0)
    naive = one_by_one(DiffusersOptions.model_validate(shared), wanted[: max(2, count // 8)])
    rate = matrix_rate(device)
    for compiled in (False, True):
        for batch in batches:
            options = DiffusersOptions.model_validate(shared | {"compile": compiled, "batch_size": batch})
            generator, orders = DiffusersGenerator(options), wanted[: count + batch]
            ours = drawn_a_second(generator, orders)
            share = (
                "" if compiled else f", {100 * ours * work_of_a_picture(generator, orders[0]) / rate:.0f} %"
            )
            figures = (
                f"{ours:.2f} and {naive:.2f} images/s{share}; {side} px, {steps}"
                f" steps, batches of {batch}{', compiled' if compiled else ''}"
            )
            yield Row("generate on a GPU", "one prompt at a time", ours / naive, "at least 2", figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("model", type=Path, help="a model directory")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024], help="pixels")
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--images", type=int, default=64)
    call = parser.parse_args()
    for side in call.sides:
        tell(measure(str(call.model), call.device, side, call.steps, call.batches, call.images), call.json)


if __name__ == "__main__":
    main()
