"""Drawing in batches against one prompt at a time: ``python -m bench.generation``.

The pictures of whole dialogues, as the workflow wants them: a reformulator writes the prompts of every round.
The generate stage's way (equal prompts drawn once, every prompt read once, text encoders let go, batches)
against a naive loop: the pipeline's own call, a picture a call. Both have the same prompts, seeds and
settings, the device of the config, one thread on a CPU; both end with a PNG.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import torch
from bench.common import Row, component_of, in_turn, make_dialogues, parser_of, tell

from daitir.generators import DiffusersOptions, Order, image_seed
from daitir.generators.arguments import Arguments
from daitir.generators.diffusers import DiffusersGenerator
from daitir.generators.pipelines import load_pipeline
from daitir.reformulators import TransformersOptions
from daitir.reformulators.chat import ChatReformulator
from daitir.stages.generate import encode_picture, orders


def make_orders(count: int, seed: int) -> list[Order]:
    """Return different pictures, of the captions of dialogues."""
    captions = dict.fromkeys(dialogue.turns[0] for dialogue in make_dialogues(10 * count))
    return [Order(text, 1, image_seed(seed, text, 1)) for text in list(captions)[:count]]


def of_dialogues(options: DiffusersOptions, reformulator: TransformersOptions, count: int) -> list[Order]:
    """Return the pictures of all rounds of dialogues, equal ones as often as they are wanted."""
    work = [(dialogue, list(range(len(dialogue.turns)))) for dialogue in make_dialogues(count)]
    queries = ChatReformulator(reformulator, None).reformulate(work)
    return [order for _, order in orders(queries, options, Path("queries"))]


def measure(options: DiffusersOptions, wanted: list[Order]) -> Iterator[Row]:
    """Yield the row."""
    different = list(dict.fromkeys(wanted))
    naive = load_pipeline(options, options.device).to(options.device)
    settings = Arguments(naive, options).settings
    generator = DiffusersGenerator(options)

    def one_by_one() -> None:
        for order in wanted:
            noise = torch.Generator("cpu").manual_seed(order.seed)
            image = naive(order.prompt, generator=noise, **settings).images[0]
            image.save(io.BytesIO(), "png")

    def in_batches() -> None:
        for drawn in generator.draw(different):
            for order, image in drawn:
                encode_picture(order, image, options, {}, cut=False, lowered=None)

    ours, loop = in_turn(in_batches, one_by_one, repeats=2)
    figures = (
        f"{ours:.1f} s and {loop:.1f} s; {len(wanted)} pictures, {len(different)} of them different, each of"
        f" which is drawn {loop / len(wanted) / ours * len(different):.2f} times as fast; {options.steps}"
        f" steps, batches of {options.batch_size}, {options.model}, {options.device}"
    )
    yield Row("generate", "one prompt at a time", loop / ours, "at least 2", figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--generator", default="sd3", help="a name of the config")
    parser.add_argument("--reformulator", default="llm", help="a name of the config")
    parser.add_argument("--dialogues", type=int, default=12)
    call = parser.parse_args()
    options = DiffusersOptions.model_validate(component_of(call.config, "generators", call.generator))
    writing = TransformersOptions.model_validate(
        component_of(call.config, "reformulators", call.reformulator)
    )
    torch.set_num_threads(1)
    tell(measure(options, of_dialogues(options, writing, call.dialogues)), call.json)


if __name__ == "__main__":
    main()
