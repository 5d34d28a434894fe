"""Encode query texts, the images of a corpus or generated images: one feature store of unit vectors.

Texts and pictures whose features another dialogue set has (``--known-...``) are not encoded again; the bytes
of the store are the same with and without.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.corpora import read_corpus
from daitir.encoders import EncoderFacts, EncoderOptions, load_encoder
from daitir.encoders.known import known_pictures, known_texts
from daitir.errors import DaitirError, exit_with_one_line
from daitir.features import write_features
from daitir.files import digest_bytes, inside
from daitir.images import decode_image, in_threads
from daitir.options import Options
from daitir.progress import progress
from daitir.provenance import provenance
from daitir.queries import digest_queries, read_queries
from daitir.shards import Picture, read_shard

REVISION = 3


class EncodeOptions(Options):
    """What decides the features; ``digests`` stand for the model."""

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    encoder: EncoderOptions


def encode_queries(
    options: EncodeOptions,
    queries: list[Path],
    output: Path,
    record: dict[str, Any],
    known_queries: list[Path],
    known_features: list[Path],
) -> None:
    """Write the features of the query texts of all shards; the provenance counts the texts that were cut."""
    asked = read_queries(*queries)
    known = known_texts(asked, known_queries, known_features, record)
    new = sorted({query.query_text for query in asked} - known.rows.keys())
    rows, cut, facts = dict(known.rows), set(known.truncated), known.facts
    if new or facts is None:
        encoder = load_encoder(options.encoder)
        features, truncated = encoder.encode_texts(new)
        rows |= dict(zip(new, features, strict=True))
        cut |= {text for text, is_cut in zip(new, truncated, strict=True) if is_cut}
        facts = encoder.facts._asdict()
    truncated = np.array([query.query_text in cut for query in asked], dtype=bool)
    who = provenance("encode", record, {"queries": digest_queries(asked)})
    who |= {"texts": {"all": len(asked), "truncated": int(truncated.sum())}, "facts": facts}
    matrix = gather(rows, [query.query_text for query in asked], facts["width"])
    write_features(output, [query.key for query in asked], matrix, who, truncated)


def encode_corpus(
    options: EncodeOptions, names: Path, folder: Path, output: Path, record: dict[str, Any]
) -> None:
    """Write the features of the images of a corpus."""
    candidates = read_corpus(names)
    encoder = load_encoder(options.encoder)
    contents: list[str] = []

    def prepare(name: str) -> tuple[str, np.ndarray]:
        path = inside(folder, name, str(names))
        try:
            data = path.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise DaitirError(
                f"{path} does not exist, but {names} lists it: fetch it or mend the list"
            ) from None
        return f"{name} {digest_bytes([data])}", encoder.pixels(decode_image(data, str(path)))

    def pixels() -> Iterator[np.ndarray]:
        prepared = in_threads(prepare, candidates, options.encoder.workers)
        for content, one in progress(prepared, "features", len(candidates), "images"):
            contents.append(content)
            yield one

    features = encoder.encode_pixels(pixels())
    inputs = {"corpus": digest_bytes(line.encode() for line in sorted(contents))}
    who = provenance("encode", record, inputs) | {"facts": facts_of_images(encoder.facts)}
    write_features(output, candidates, features, who)


def encode_pictures(
    options: EncodeOptions,
    shard: Path,
    output: Path,
    record: dict[str, Any],
    known_shards: list[Path],
    known_features: list[Path],
) -> None:
    """Write the features of the generated images of one shard; equal pictures are encoded once."""
    pictures = list(read_shard(shard))
    known = known_pictures(pictures, known_shards, known_features, record)
    different = {picture.data: picture for picture in pictures}
    new = [picture for data, picture in different.items() if data not in known.rows]
    rows, facts = dict(known.rows), known.facts
    if new or facts is None:
        encoder = load_encoder(options.encoder)

        def prepare(picture: Picture) -> np.ndarray:
            return encoder.pixels(decode_image(picture.data, f"{shard}, {picture.key}"))

        pixels = progress(in_threads(prepare, new, options.encoder.workers), "features", len(new), "images")
        features = encoder.encode_pixels(pixels)
        rows |= {picture.data: row for picture, row in zip(new, features, strict=True)}
        facts = facts_of_images(encoder.facts)
    digests = {data: digest_bytes([data]) for data in different}
    contents = (f"{picture.key} {digests[picture.data]}".encode() for picture in pictures)
    who = provenance("encode", record, {"pictures": digest_bytes(contents)}) | {"facts": facts}
    matrix = gather(rows, [picture.data for picture in pictures], facts["width"])
    write_features(output, [picture.key for picture in pictures], matrix, who)


def facts_of_images(facts: EncoderFacts) -> dict[str, Any]:
    """Return what of an encoder's facts concerns images: the limit of texts is not among their options."""
    return {"width": facts.width, "preprocessing": facts.preprocessing}


def gather(rows: dict[Any, np.ndarray], contents: list[Any], width: int) -> np.ndarray:
    """Return the rows of ``contents`` in their order (N x width)."""
    return np.array([rows[content] for content in contents], dtype=np.float32).reshape(len(contents), width)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    add_paths(parser)
    call = parse_call(parser, EncodeOptions)
    paths, record = call.arguments, call.record
    check_paths(parser, paths)
    known = paths.known_features
    if paths.what == "queries":
        encode_queries(call.options, paths.queries, paths.output, record, paths.known_queries, known)
    elif paths.what == "corpus":
        encode_corpus(call.options, paths.list, paths.images, paths.output, record)
    else:
        encode_pictures(call.options, paths.shard, paths.output, record, paths.known_shards, known)


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Add what is encoded and where it lies."""
    parser.add_argument("what", choices=("queries", "corpus", "pictures"), help="what is encoded")
    several: dict[str, Any] = {"type": Path, "nargs": "*", "default": []}  # the workflow may know none
    parser.add_argument("--queries", **several, help="queries: shards of a dialogue set, Parquet")
    parser.add_argument("--list", type=Path, help="corpus: JSON list of image names")
    parser.add_argument("--images", type=Path, help="corpus: folder of the images")
    parser.add_argument("--shard", type=Path, help="pictures: image shard, tar")
    parser.add_argument("--known-queries", **several, help="queries: all shards of another dialogue set")
    parser.add_argument("--known-shards", **several, help="pictures: image shards of another dialogue set")
    parser.add_argument("--known-features", **several, help="features of --known-queries or --known-shards")
    parser.add_argument("--output", type=Path, required=True, help="feature store, HDF5")


def check_paths(parser: argparse.ArgumentParser, paths: argparse.Namespace) -> None:
    """Refuse a call that lacks a path, or that gives only one half of what is known."""
    needed = {"queries": ["queries"], "corpus": ["list", "images"], "pictures": ["shard"]}[paths.what]
    if not all(getattr(paths, name) for name in needed):
        parser.error(f"{paths.what} needs {' and '.join(f'--{name}' for name in needed)}")
    given = {name for name in ("queries", "shards", "features") if getattr(paths, f"known_{name}")}
    allowed = {"queries": {"queries", "features"}, "corpus": set(), "pictures": {"shards", "features"}}[
        paths.what
    ]
    if given and given != allowed:
        names = " and ".join(f"--known-{name}" for name in sorted(allowed, reverse=True)) or "none"
        parser.error(f"{paths.what} takes {names} of what is known")


if __name__ == "__main__":
    exit_with_one_line(main)
