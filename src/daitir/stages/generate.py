"""Draw the images of one shard of queries: K pictures for every query, equal pictures once."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.errors import DaitirError, exit_with_one_line
from daitir.files import digest_text
from daitir.generators import GeneratorOptions, Order, image_seed, load_generator
from daitir.options import Options
from daitir.progress import Progress
from daitir.provenance import provenance
from daitir.queries import Query, digest_queries, picture_key, read_queries
from daitir.scratch import scratch_for
from daitir.shards import Picture, read_shard, write_shard

if TYPE_CHECKING:
    from PIL.Image import Image

REVISION = 1
PIL_FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}


class GenerateOptions(Options):
    """What decides the pictures; ``digests`` stand for the model."""

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    generator: GeneratorOptions


def run(options: GenerateOptions, queries: Path, scratch: Path, output: Path, record: dict[str, Any]) -> None:
    """Draw the pictures of the queries and write them as one shard."""
    asked = read_queries(queries)
    wanted = dict(orders(asked, options.generator, queries))
    with scratch_for(scratch, record) as finished:
        drawn = draw_missing(list(dict.fromkeys(wanted.values())), options.generator, finished, record)
        pictures = (named(drawn[scratch_key(order)], key) for key, order in wanted.items())
        write_shard(output, pictures, provenance("generate", record, {"queries": digest_queries(asked)}))


def orders(queries: list[Query], options: GeneratorOptions, path: Path) -> Iterator[tuple[str, Order]]:
    """Yield the key and the order of every picture; equal prompts of one k are equal orders."""
    for query in queries:
        if len(query.prompts) < options.images:
            raise DaitirError(
                f"{path}: query {query.key} has {len(query.prompts)} prompts for {options.images} images:"
                " raise `prompts` of the reformulator or lower `images` of the generator"
            )
        for k, prompt in enumerate(query.prompts[: options.images], start=1):
            yield (
                picture_key(query.dialogue_id, query.round, k),
                Order(prompt, k, image_seed(options.seed, prompt, k)),
            )


def draw_missing(
    wanted: list[Order], options: GeneratorOptions, scratch: Path, record: dict[str, Any]
) -> dict[str, Picture]:
    """Return the pictures of the orders by scratch key; those that ``scratch`` lacks are drawn and kept."""
    found = {picture.key: picture for file in sorted(scratch.glob("*.tar")) for picture in read_shard(file)}
    missing = [order for order in wanted if scratch_key(order) not in found]
    progress = Progress("images", total=len(wanted), unit="images", done=len(wanted) - len(missing))
    if missing:
        for drawn in load_generator(options).draw(missing):
            batch = [encode_picture(order, image, options, record) for order, image in drawn]
            write_shard(scratch / f"{digest_text(*(picture.key for picture in batch))}.tar", batch, record)
            found |= {picture.key: picture for picture in batch}
            progress.advance(len(batch))
    progress.close()
    return found


def scratch_key(order: Order) -> str:
    """Name of a picture before it belongs to a query."""
    return digest_text(order.prompt, str(order.k), str(order.seed))


def encode_picture(
    order: Order, image: "Image", options: GeneratorOptions, record: dict[str, Any]
) -> Picture:
    """Return an image as the bytes that are stored, and how it was made."""
    if options.stored_size is not None:
        image.thumbnail((options.stored_size, options.stored_size))
    stream = io.BytesIO()
    quality = {} if options.format == "png" else {"quality": options.quality}
    image.save(stream, PIL_FORMATS[options.format], **quality)
    meta = {"prompt": order.prompt, "k": order.k, "seed": order.seed, "options": record}
    return Picture(scratch_key(order), stream.getvalue(), options.format, meta)


def named(picture: Picture, key: str) -> Picture:
    """Return a picture under the key of the query that shows it."""
    return Picture(key, picture.data, picture.format, picture.meta)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--queries", type=Path, required=True, help="queries of one shard, Parquet")
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder for finished batches; removed at the end"
    )
    parser.add_argument("--output", type=Path, required=True, help="image shard, tar")
    call = parse_call(parser, GenerateOptions)
    paths = call.arguments
    run(call.options, paths.queries, paths.scratch, paths.output, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
