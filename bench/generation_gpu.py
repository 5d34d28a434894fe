"""Drawing on a GPU: ``python -m bench.generation_gpu MODEL`` (`bench.sd3_medium` makes one).

28 steps in bfloat16 at 512 and 1024 pixels: images a second by batch size, with and without `compile`, and
which share of the card's own matrix rate that is; against a naive loop over the pipeline's call, one prompt
at a time. Both end with a JPEG. The rate is that of one large product, measured in the same run; the work of
a picture is what torch counts while the naive loop draws one, nearly all of it the transformer's. The first
batch of each warms up; in ours it reads all prompts, which the naive loop reads in its time, milliseconds a
picture. What is compiled is compiled anew for each batch size, as in a job. ``--sides 512``, then
``--sides 1024``, where time is short.
"""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from bench.common import Row, finished, parser_of, seconds, tell
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
FEWEST = 8  # pictures that are timed


class Naive(NamedTuple):
    """What a naive loop draws a second, and the operations of a picture."""

    a_second: float
    operations: float


def matrix_rate(device: str) -> float:
    """Return the operations a second of a large product in bfloat16."""
    side = SIDE if device == "cuda" else 512
    one = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    spent = seconds(finished(lambda: one @ one, device), repeats=10)
    return 2 * side**3 / spent


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
    first = next(batches)
    encode(first)
    return (len(orders) - len(first)) / seconds(finished(store, generator.device))


def one_by_one(options: DiffusersOptions, orders: list[Order]) -> Naive:
    """Run the naive loop; its first picture is counted instead of timed."""
    pipeline = load_pipeline(options, options.device).to(options.device)
    settings = Arguments(pipeline, options).settings

    def draw(order: Order) -> None:
        noise = torch.Generator("cpu").manual_seed(order.seed)
        (image,) = pipeline(order.prompt, generator=noise, **settings).images
        image.save(io.BytesIO(), "jpeg", quality=options.quality)

    with FlopCounterMode(display=False) as counter:
        draw(orders[0])
    spent = seconds(finished(lambda: [draw(order) for order in orders[1:]], options.device))
    return Naive((len(orders) - 1) / spent, counter.get_total_flops())


def measure(model: str, device: str, side: int, steps: int, batches: list[int]) -> Iterator[Row]:
    """Yield the rows of one size of pictures; the fastest is the one that has to be fast."""
    shared = {"model": model, "device": device, "steps": steps, "height": side, "width": side}
    shared |= {"dtype": "bfloat16", "format": "jpg", "guidance": 7.0}
    wanted = make_orders(max(3 * max(batches), FEWEST + max(batches)), 0)
    naive = one_by_one(DiffusersOptions.model_validate(shared), wanted[: FEWEST // 2 + 1])
    rate, rows = matrix_rate(device), list[Row]()
    for compiled in (False, True):
        for batch in batches:
            options = DiffusersOptions.model_validate(shared | {"compile": compiled, "batch_size": batch})
            torch.compiler.reset()
            generator = DiffusersGenerator(options)
            ours = drawn_a_second(generator, wanted[: max(3 * batch, FEWEST + batch)])
            drawn = f"batches of {generator.lowered or batch}{', compiled' if compiled else ''}"
            share = f"{100 * ours * naive.operations / rate:.0f} % of {rate / 1e12:.3g} TFLOP/s"
            figures = (
                f"{ours:.3g} and {naive.a_second:.3g} images/s, {share}; {side} px, {steps} steps, {drawn}"
            )
            rows.append(Row("generate on a GPU", "one prompt at a time", ours / naive.a_second, "", figures))
            yield rows[-1]
    best = max(rows, key=lambda row: row.ratio)
    yield Row("generate on a GPU, the fastest", best.against, best.ratio, "at least 2", best.figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("model", type=Path, help="a model directory")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024], help="pixels")
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    call = parser.parse_args()
    for side in call.sides:
        tell(measure(str(call.model), call.device, side, call.steps, call.batches), call.json)


if __name__ == "__main__":
    main()
