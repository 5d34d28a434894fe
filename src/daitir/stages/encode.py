"""Encode query texts, the images of a corpus or generated images: one feature store of unit vectors.

Texts and pictures whose features another dialogue set has (``--known-...``) are not encoded again; the bytes
of the store are the same with and without.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.corpora import read_corpus
from daitir.encoders import Encoder, EncoderFacts, EncoderOptions, load_encoder
from daitir.encoders.files import CorpusImages, GeneratedImages, encode_files
from daitir.encoders.known import known_pictures, known_texts
from daitir.errors import DaitirError, exit_with_one_line
from daitir.features import features_provenance, write_features
from daitir.files import digest_bytes, digest_model
from daitir.options import Options
from daitir.provenance import provenance, require_same
from daitir.queries import digest_queries, read_queries
from daitir.seals import IN_MODEL, read_folder_seal
from daitir.shards import ShardPictures
from daitir.tuning import tuned_encoder

REVISION = 6


class Tuned(Options):
    """How an encoder was trained further, and with which seed."""

    seed: int
    recipe: dict[str, Any]


class EncodeOptions(Options):
    """What decides the features; ``digests`` stand for the model, for that of the base where it is tuned."""

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    encoder: EncoderOptions
    tuned: Tuned | None = None


@dataclass(frozen=True)
class Making:
    """Who encodes: options and their record, and the folder of the model that a tuning made."""

    options: EncodeOptions
    record: dict[str, Any]
    model: Path | None

    def __post_init__(self) -> None:
        """Refuse a tuned model whose recipe is not in the options, and a recipe without the model."""
        if (self.model is None) != (self.options.tuned is None):
            raise DaitirError("--tuned and the options' `tuned` belong together: give both or none")
        if self.model is not None:
            require_tuned_so(self.model, self.options.tuned)

    def encoder(self) -> Encoder:
        """Load the encoder."""
        options = self.options.encoder
        return load_encoder(options if self.model is None else tuned_encoder(options, str(self.model)))

    @property
    def trained(self) -> str | None:
        """Digest of the model that a tuning made."""
        return None if self.model is None else digest_model(self.model)

    def provenance(self, inputs: dict[str, str]) -> dict[str, Any]:
        """Return the record of a store; of a tuned encoder its model is among the inputs."""
        trained = {} if self.trained is None else {"model": self.trained}
        return provenance("encode", self.record, inputs | trained)


def require_tuned_so(model: Path, tuned: Tuned | None) -> None:
    """Refuse a model directory that is damaged, that another recipe or seed made, or that no tuning made."""
    made = read_folder_seal(model, IN_MODEL).record.get("options", {})
    found = {"seed": made.get("seed"), "recipe": made.get("tune")}
    require_same("tuning", {str(model): found, "what is asked for": tuned and tuned.model_dump()})


def require_own(known_features: list[Path], trained: str | None) -> None:
    """Refuse features that another training of the encoder made."""
    made = {str(path): features_provenance(path)["inputs"].get("model") for path in known_features}
    require_same("trained model", {"the encoder": trained, **made})


def encode_queries(
    making: Making, queries: list[Path], output: Path, known_queries: list[Path], known_features: list[Path]
) -> None:
    """Write the features of the query texts of all shards; the provenance counts the texts that were cut."""
    asked = read_queries(*queries)
    require_own(known_features, making.trained)
    known = known_texts(asked, known_queries, known_features, making.record)
    new = sorted({query.query_text for query in asked} - known.rows.keys())
    rows, cut, facts, halved = dict(known.rows), set(known.truncated), known.facts, {}
    if new or facts is None:
        encoder = making.encoder()
        features, truncated = encoder.encode_texts(new)
        rows |= dict(zip(new, features, strict=True))
        cut |= {text for text, is_cut in zip(new, truncated, strict=True) if is_cut}
        facts, halved = encoder.facts._asdict(), encoder.halved
    truncated = np.array([query.query_text in cut for query in asked], dtype=bool)
    who = making.provenance({"queries": digest_queries(asked)})
    who |= {"texts": {"all": len(asked), "truncated": int(truncated.sum())}, "facts": facts} | halved
    matrix = gather(rows, [query.query_text for query in asked], facts["width"])
    write_features(output, [query.key for query in asked], matrix, who, truncated)


def encode_corpus(making: Making, names: Path, folder: Path, output: Path) -> None:
    """Write the features of the images of a corpus."""
    candidates = read_corpus(names)
    encoder = making.encoder()
    features, digests = encode_files(encoder, CorpusImages(names, folder), candidates, making.options.encoder)
    contents = (f"{name} {digest}" for name, digest in zip(candidates, digests, strict=True))
    inputs = {"corpus": digest_bytes(content.encode() for content in sorted(contents))}
    who = making.provenance(inputs) | {"facts": facts_of_images(encoder.facts)} | encoder.halved
    write_features(output, candidates, features, who)


def encode_pictures(
    making: Making, shard: Path, output: Path, known_shards: list[Path], known_features: list[Path]
) -> None:
    """Write the features of the generated images of one shard.

    Of equal pictures one is encoded, and none whose feature is known; the others are not even read.
    """
    pictures = ShardPictures([shard])
    require_own(known_features, making.trained)
    known = known_pictures(pictures.digests, known_shards, known_features, making.record)
    new: dict[str, str] = {}
    for key, digest in pictures.digests.items():
        if digest not in known.rows:
            new.setdefault(digest, key)
    rows, facts, halved = dict(known.rows), known.facts, {}
    if new or facts is None:
        encoder = making.encoder()
        images = GeneratedImages(shard, pictures)
        features, digests = encode_files(encoder, images, list(new.values()), making.options.encoder)
        rows |= dict(zip(digests, features, strict=True))
        facts, halved = facts_of_images(encoder.facts), encoder.halved
    contents = (f"{key} {digest}".encode() for key, digest in pictures.digests.items())
    who = making.provenance({"pictures": digest_bytes(contents)}) | {"facts": facts} | halved
    matrix = gather(rows, list(pictures.digests.values()), facts["width"])
    write_features(output, list(pictures.digests), matrix, who)


def facts_of_images(facts: EncoderFacts) -> dict[str, Any]:
    """Return what of an encoder's facts concerns images: the limit of texts is not among their options."""
    return {name: value for name, value in facts._asdict().items() if name != "text_limit"}


def gather(rows: dict[str, np.ndarray], contents: list[str], width: int) -> np.ndarray:
    """Return the rows of ``contents`` in their order (N x width)."""
    return np.array([rows[content] for content in contents], dtype=np.float32).reshape(len(contents), width)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    add_paths(parser)
    call = parse_call(parser, EncodeOptions)
    paths = call.arguments
    check_paths(parser, paths)
    if len(paths.tuned) > 1:
        parser.error("--tuned takes one model directory")
    making = Making(call.options, call.record, paths.tuned[0] if paths.tuned else None)
    known = paths.known_features
    if paths.what == "queries":
        encode_queries(making, paths.queries, paths.output, paths.known_queries, known)
    elif paths.what == "corpus":
        encode_corpus(making, paths.list, paths.images, paths.output)
    else:
        encode_pictures(making, paths.shard, paths.output, paths.known_shards, known)


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
    parser.add_argument("--tuned", **several, help="model directory that the encoder was trained to")
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
