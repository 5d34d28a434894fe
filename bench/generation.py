"""Drawing in batches against one prompt at a time: ``python -m bench.generation``.

The generate stage's generator (every prompt read once, text encoders let go, batches, pictures as the bytes
that are stored) against a naive loop: the pipeline's own call, a picture a call. Both have the same prompts,
seeds and settings, the device of the config, one thread on a CPU; both end with a PNG. Our seconds hold the
loading of the model as well, for the generator lets its text encoders go.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from bench.common import WORLD, Row, component_of, in_turn, make_world, parser_of, tell

from daitir.generators import DiffusersOptions, Order, image_seed
from daitir.generators.arguments import Arguments
from daitir.generators.diffusers import DiffusersGenerator
from daitir.generators.pipelines import load_pipeline
from daitir.stages.generate import encode_picture

DIALOGUES = WORLD / "val.json"


def make_orders(count: int, seed: int) -> list[Order]:
    """Return pictures of the captions of dialogues."""
    make_world()
    captions = dict.fromkeys(dialogue["dialog"][0] for dialogue in json.loads(DIALOGUES.read_text()))
    return [Order(text, 1, image_seed(seed, text, 1)) for text in list(captions)[:count]]


def measure(options: DiffusersOptions, count: int) -> Iterator[Row]:
    """Yield the row."""
    orders = make_orders(count, options.seed)
    naive = load_pipeline(options, options.device).to(options.device)
    settings = Arguments(naive, options).settings
    generator = DiffusersGenerator(options)

    def one_by_one() -> None:
        for order in orders:
            noise = torch.Generator("cpu").manual_seed(order.seed)
            image = naive(order.prompt, generator=noise, **settings).images[0]
            image.save(io.BytesIO(), "png")

    def in_batches() -> None:
        for drawn in generator.draw(orders):
            for order, image in drawn:
                encode_picture(order, image, options, {}, cut=False, lowered=None)

    ours, loop = in_turn(in_batches, one_by_one, repeats=2)
    figures = (
        f"{len(orders) / ours:.2f} and {len(orders) / loop:.2f} images/s; {len(orders)} images,"
        f" {options.steps} steps, batches of {options.batch_size}, {options.model}, {options.device}"
    )
    yield Row("generate", "one prompt at a time", loop / ours, "at least 2", figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--generator", default="sd3", help="a name of the config")
    parser.add_argument("--images", type=int, default=256)
    call = parser.parse_args()
    options = DiffusersOptions.model_validate(component_of(call.config, "generators", call.generator))
    torch.set_num_threads(1)
    tell(measure(options, call.images), call.json)


if __name__ == "__main__":
    main()
