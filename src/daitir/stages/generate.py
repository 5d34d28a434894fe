"""Draw the images of one shard of queries: K pictures for every query, equal pictures once.

Published pictures are not drawn but found in their folder and linked.
"""

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.dialogues import read_dialogues
from daitir.errors import DaitirError, exit_with_one_line
from daitir.files import digest_bytes, digest_text
from daitir.generators import (
    DiffusersOptions,
    GeneratorOptions,
    Order,
    ReleasedOptions,
    image_seed,
    load_generator,
)
from daitir.options import Options
from daitir.overlap import Beside
from daitir.progress import Progress
from daitir.provenance import made_by_these_versions, provenance, require_same
from daitir.queries import Query, digest_queries, picture_key, read_queries
from daitir.scratch import scratch_for
from daitir.shards import Picture, read_shard, shard_provenance, write_shard

if TYPE_CHECKING:
    from PIL.Image import Image

REVISION = 2
PIL_FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}


class GenerateOptions(Options):
    """What decides the pictures; ``digests`` stand for the model."""

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    generator: GeneratorOptions


def draw(
    options: DiffusersOptions,
    queries: Path,
    scratch: Path,
    output: Path,
    record: dict[str, Any],
    known: Sequence[Path] = (),
) -> None:
    """Draw the pictures of the queries and write them as one shard.

    ``known`` are shards of another set with the same round 0: those of its pictures are not drawn again.
    """
    asked = read_queries(queries)
    wanted = dict(orders(asked, options, queries))
    round_0 = {key: wanted[key] for query in asked if query.round == 0 for key in keys(query, options)}
    taken = known_pictures(known, round_0, record, output)
    with scratch_for(scratch, record) as finished:
        different = list(dict.fromkeys(wanted.values()))
        drawn = draw_missing(different, options, finished, record, taken)
        who = provenance("generate", record, {"queries": digest_queries(asked)})
        who["prompts"] = count_cut(drawn[scratch_key(order)] for order in different)
        write_shard(output, (named(drawn[scratch_key(order)], key) for key, order in wanted.items()), who)


def link(
    options: ReleasedOptions,
    queries: Path,
    dialogues: Path,
    folder: Path,
    output: Path,
    record: dict[str, Any],
) -> None:
    """Find the published pictures of the queries in their folder and write links to them as one shard."""
    from daitir.generators.released import released_pictures

    asked = read_queries(queries)
    pictures = released_pictures(options, asked, read_dialogues(dialogues), folder, record)
    contents = digest_bytes(f"{picture.key} {picture.meta['digest']}".encode() for picture in pictures)
    inputs = {"queries": digest_queries(asked), "pictures": contents}
    write_shard(output, pictures, provenance("generate", record, inputs))


def keys(query: Query, options: DiffusersOptions) -> list[str]:
    """Return the keys of the pictures of a query."""
    return [picture_key(query.dialogue_id, query.round, k) for k in range(1, options.images + 1)]


def orders(queries: list[Query], options: DiffusersOptions, path: Path) -> Iterator[tuple[str, Order]]:
    """Yield the key and the order of every picture; equal prompts of one k are equal orders."""
    for query in queries:
        if len(query.prompts) < options.images:
            raise DaitirError(
                f"{path}: query {query.key} has {len(query.prompts)} prompts for {options.images} images:"
                " raise `prompts` of the reformulator or lower `images` of the generator"
            )
        for k, (key, prompt) in enumerate(zip(keys(query, options), query.prompts, strict=False), start=1):
            yield key, Order(prompt, k, image_seed(options.seed, prompt, k))


def known_pictures(
    paths: Sequence[Path], wanted: dict[str, Order], record: dict[str, Any], output: Path
) -> dict[str, Picture]:
    """Return the wanted pictures that other shards hold under the same key, by scratch key.

    Shards made with other options are a mix and refused; those of other library versions are left alone.
    """
    made = {str(path): shard_provenance(path) for path in paths}
    options = {path: found["options"] for path, found in made.items()}
    require_same("how pictures are drawn", options | {str(output): record})
    found: dict[str, Picture] = {}
    for path in paths:
        if not made_by_these_versions(path, made[str(path)]):
            continue
        for picture in read_shard(path, wanted.keys()):
            order = Order(picture.meta["prompt"], picture.meta["k"], picture.meta["seed"])
            if order == wanted[picture.key]:
                found[scratch_key(order)] = named(picture, scratch_key(order))
    if paths:
        print(f"note: {len(found)} pictures of round 0 taken over", file=sys.stderr, flush=True)
    return found


def draw_missing(
    wanted: list[Order],
    options: DiffusersOptions,
    scratch: Path,
    record: dict[str, Any],
    taken: dict[str, Picture],
) -> dict[str, Picture]:
    """Return the pictures of the orders by scratch key; those that are nowhere yet are drawn and kept.

    While an accelerator draws a batch, the one before is stored.
    """
    found = taken | {
        picture.key: picture for file in sorted(scratch.glob("*.tar")) for picture in read_shard(file)
    }
    missing = [order for order in wanted if scratch_key(order) not in found]
    progress = Progress("images", total=len(wanted), unit="images", done=len(wanted) - len(missing))
    if missing:
        generator = load_generator(options)
        cut = generator.cut_prompts([order.prompt for order in missing])

        def keep(drawn: list[tuple[Order, "Image"]], lowered: int | None) -> None:
            batch = [
                encode_picture(order, image, options, record, order.prompt in cut, lowered)
                for order, image in drawn
            ]
            write_shard(scratch / f"{digest_text(*(picture.key for picture in batch))}.tar", batch, record)
            found.update({picture.key: picture for picture in batch})
            progress.advance(len(batch))

        with Beside(apart=generator.device != "cpu") as beside:
            for drawn in generator.draw(missing):
                beside.do(partial(keep, drawn, generator.lowered))
    progress.close()
    return found


def count_cut(pictures: Iterable[Picture]) -> dict[str, int]:
    """Return how many different prompts there are, and how many of them no text encoder read to the end."""
    cut = {picture.meta["prompt"]: picture.meta["cut"] for picture in pictures}
    return {"all": len(cut), "cut": sum(cut.values())}


def scratch_key(order: Order) -> str:
    """Name of a picture before it belongs to a query."""
    return digest_text(order.prompt, str(order.k), str(order.seed))


def encode_picture(
    order: Order,
    image: "Image",
    options: DiffusersOptions,
    record: dict[str, Any],
    cut: bool,
    lowered: int | None,
) -> Picture:
    """Return an image as the bytes that are stored, and how it was made.

    The record of one that was drawn in a smaller batch than asked for, for want of memory, says so.
    """
    if options.stored_size is not None:
        image.thumbnail((options.stored_size, options.stored_size))
    stream = io.BytesIO()
    quality = {} if options.format == "png" else {"quality": options.quality}
    image.save(stream, PIL_FORMATS[options.format], **quality)
    meta = {"prompt": order.prompt, "k": order.k, "seed": order.seed, "cut": cut, "options": record}
    if lowered is not None:
        meta["batch_size"] = lowered
    return Picture(scratch_key(order), stream.getvalue(), options.format, meta)


def named(picture: Picture, key: str) -> Picture:
    """Return a picture under the key of the query that shows it."""
    return Picture(key, picture.data, picture.format, picture.meta)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--queries", type=Path, required=True, help="queries of one shard, Parquet")
    parser.add_argument("--scratch", type=Path, help="folder for finished batches; removed at the end")
    parser.add_argument(
        "--known", type=Path, nargs="*", default=[], help="image shards of another set with the same round 0"
    )
    parser.add_argument("--dialogues", type=Path, nargs="?", help="published pictures: dialogue set, Parquet")
    parser.add_argument("--folder", type=Path, nargs="?", help="published pictures: where they lie")
    parser.add_argument("--output", type=Path, required=True, help="image shard, tar")
    call = parse_call(parser, GenerateOptions)
    paths, generator = call.arguments, call.options.generator
    needed = ["dialogues", "folder"] if isinstance(generator, ReleasedOptions) else ["scratch"]
    if any(getattr(paths, name) is None for name in needed):
        parser.error(f"{generator.kind} needs {' and '.join(f'--{name}' for name in needed)}")
    if isinstance(generator, ReleasedOptions):
        if paths.known:
            parser.error("--known: published pictures lie in a folder of each dialogue set itself")
        link(generator, paths.queries, paths.dialogues, paths.folder, paths.output, call.record)
    else:
        draw(generator, paths.queries, paths.scratch, paths.output, call.record, paths.known)


if __name__ == "__main__":
    exit_with_one_line(main)
