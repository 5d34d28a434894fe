"""Images that are encoded: where their files lie, and how they reach the model, read ahead by processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from daitir.ahead import deaths_named, rows_ahead
from daitir.corpora import read_candidate
from daitir.encoders import Encoder, EncoderOptions
from daitir.encoders.pixels import PixelReader
from daitir.files import digest_bytes
from daitir.progress import progress
from daitir.shards import ShardPictures


class File(NamedTuple):
    """An image file: its bytes, its name for errors, and the digest of the bytes."""

    data: bytes
    name: str
    digest: str


class Images(Protocol):
    """Image files by their keys."""

    def read(self, key: str) -> File:
        """Return the file of an image."""


@dataclass(frozen=True)
class CorpusImages:
    """The images of a corpus by their names in its list."""

    names: Path
    folder: Path

    def read(self, key: str) -> File:
        """Return the file of an image; one that is listed and not there is refused."""
        data = read_candidate(self.folder, key, self.names)
        return File(data, str(self.folder / key), digest_bytes([data]))


@dataclass(frozen=True)
class GeneratedImages:
    """The images of a shard by their keys."""

    shard: Path
    pictures: ShardPictures

    def read(self, key: str) -> File:
        """Return the file of an image, which must be the one that was written."""
        return File(self.pictures.read(key), f"{self.shard}, {key}", self.pictures.digests[key])


@dataclass(frozen=True)
class Preparing:
    """What processes do beside the model: they read images and bring them into its form."""

    reader: PixelReader
    images: Images

    def __call__(self, keys: list[str]) -> list[tuple[np.ndarray, str]]:
        """Return the pixels of some images, each with the digest of its file."""
        digests: list[str] = []

        def files() -> Iterator[tuple[bytes, str]]:
            for file in map(self.images.read, keys):
                digests.append(file.digest)
                yield file.data, file.name

        return list(zip(self.reader.read(files()), digests, strict=True))


def encode_files(
    encoder: Encoder, images: Images, keys: list[str], options: EncoderOptions
) -> tuple[np.ndarray, list[str]]:
    """Return features (N x D, unit length) and digests of the files of images, in the order of their keys."""
    rows = rows_ahead(Preparing(encoder.reader, images), keys, options.workers, options.batch_size)
    digests: list[str] = []

    def pixels() -> Iterator[np.ndarray]:
        for row, digest in progress(rows, "features", len(keys), "images"):
            digests.append(digest)
            yield row

    with deaths_named():
        return encoder.encode_pixels(pixels()), digests
