"""Encode query texts, the images of a corpus or generated images: one feature store of unit vectors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.corpora import read_corpus
from daitir.encoders import Encoder, EncoderOptions, load_encoder
from daitir.errors import DaitirError, exit_with_one_line
from daitir.features import write_features
from daitir.files import digest_bytes, inside
from daitir.images import decode_image, in_threads
from daitir.options import Options
from daitir.progress import progress
from daitir.provenance import provenance
from daitir.queries import digest_queries, read_queries
from daitir.shards import Picture, read_shard

REVISION = 1


class EncodeOptions(Options):
    """What decides the features; ``digests`` stand for the model."""

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    encoder: EncoderOptions


def encode_queries(options: EncodeOptions, queries: list[Path], output: Path, record: dict[str, Any]) -> None:
    """Write the features of the query texts of all shards; the provenance counts the texts that were cut."""
    asked = read_queries(*queries)
    encoded = load_encoder(options.encoder).encode_texts([query.query_text for query in asked])
    who = provenance("encode", record, {"queries": digest_queries(asked)})
    who["texts"] = {"all": len(asked), "truncated": int(encoded.truncated.sum())}
    write_features(output, [query.key for query in asked], encoded.features, who)


def encode_corpus(
    options: EncodeOptions, names: Path, folder: Path, output: Path, record: dict[str, Any]
) -> None:
    """Write the features of the images of a corpus."""
    candidates = read_corpus(names)
    encoder = load_encoder(options.encoder)

    def prepare(name: str) -> tuple[str, np.ndarray]:
        path = inside(folder, name, str(names))
        try:
            data = path.read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            raise DaitirError(
                f"{path} does not exist, but {names} lists it: fetch it or mend the list"
            ) from None
        return digest_bytes([data]), encoder.pixels(decode_image(data, str(path)))

    prepared = in_threads(prepare, candidates, options.encoder.workers)
    features, digests = encode_all(encoder, prepared, len(candidates))
    contents = [f"{name} {digest}" for name, digest in zip(candidates, digests, strict=True)]
    inputs = {"corpus": digest_bytes(line.encode() for line in sorted(contents))}
    write_features(output, candidates, features, provenance("encode", record, inputs))


def encode_pictures(options: EncodeOptions, shard: Path, output: Path, record: dict[str, Any]) -> None:
    """Write the features of the generated images of one shard; equal pictures are encoded once."""
    pictures = list(read_shard(shard))
    different = list({picture.data: picture for picture in pictures}.values())
    encoder = load_encoder(options.encoder)

    def prepare(picture: Picture) -> tuple[str, np.ndarray]:
        return digest_bytes([picture.data]), encoder.pixels(
            decode_image(picture.data, f"{shard}, {picture.key}")
        )

    features, digests = encode_all(
        encoder, in_threads(prepare, different, options.encoder.workers), len(different)
    )
    row = {picture.data: place for place, picture in enumerate(different)}
    rows = [row[picture.data] for picture in pictures]
    contents = (f"{picture.key} {digests[at]}".encode() for picture, at in zip(pictures, rows, strict=True))
    inputs = {"pictures": digest_bytes(contents)}
    write_features(
        output, [picture.key for picture in pictures], features[rows], provenance("encode", record, inputs)
    )


def encode_all(
    encoder: Encoder, prepared: Iterator[tuple[str, np.ndarray]], total: int
) -> tuple[np.ndarray, list[str]]:
    """Return features (N x D) and content digests (N) of images that come one by one."""
    digests: list[str] = []

    def pixels() -> Iterator[np.ndarray]:
        for digest, one in progress(prepared, "features", total, "images"):
            digests.append(digest)
            yield one

    return encoder.encode_pixels(pixels()), digests


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("what", choices=("queries", "corpus", "pictures"), help="what is encoded")
    parser.add_argument("--queries", type=Path, nargs="+", help="queries: shards of a dialogue set, Parquet")
    parser.add_argument("--list", type=Path, help="corpus: JSON list of image names")
    parser.add_argument("--images", type=Path, help="corpus: folder of the images")
    parser.add_argument("--shard", type=Path, help="pictures: image shard, tar")
    parser.add_argument("--output", type=Path, required=True, help="feature store, HDF5")
    call = parse_call(parser, EncodeOptions)
    paths = call.arguments
    needed = {"queries": ["queries"], "corpus": ["list", "images"], "pictures": ["shard"]}[paths.what]
    if any(getattr(paths, name) is None for name in needed):
        parser.error(f"{paths.what} needs {' and '.join(f'--{name}' for name in needed)}")
    if paths.what == "queries":
        encode_queries(call.options, paths.queries, paths.output, call.record)
    elif paths.what == "corpus":
        encode_corpus(call.options, paths.list, paths.images, paths.output, call.record)
    else:
        encode_pictures(call.options, paths.shard, paths.output, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
