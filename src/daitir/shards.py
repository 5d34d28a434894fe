"""Image shards: WebDataset tars of generated images, byte-stable, with the provenance in the tar's header."""

import io
import json
import tarfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daitir.errors import DaitirError
from daitir.files import atomic, canonical_json
from daitir.provenance import decode_provenance, encode_provenance

PROVENANCE = "daitir.provenance"


@dataclass(frozen=True)
class Picture:
    """A stored image: its key, the encoded bytes, their format (png, jpg, webp), and how it was made."""

    key: str
    data: bytes
    format: str
    meta: dict[str, Any]


def write_shard(path: Path, pictures: Iterable[Picture], record: dict[str, Any]) -> None:
    """Write one finished tar: members sorted, no times or owners, so equal pictures are equal bytes."""
    header = {PROVENANCE: encode_provenance(record)}
    with (
        atomic(path) as partial,
        tarfile.open(partial, "w", format=tarfile.PAX_FORMAT, pax_headers=header) as tar,
    ):
        for picture in sorted(pictures, key=lambda picture: picture.key):
            _add(tar, f"{picture.key}.{picture.format}", picture.data)
            _add(tar, f"{picture.key}.json", canonical_json(picture.meta).encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mtime = 0
    tar.addfile(member, io.BytesIO(data))


def read_shard(path: Path, keys: Collection[str] | None = None) -> Iterator[Picture]:
    """Yield the pictures of a shard in the order of their keys; with ``keys``, only those."""
    try:
        with tarfile.open(path, "r:") as tar:
            waiting: dict[str, tuple[bytes, str]] = {}
            for member in tar:
                key, _, format_ = member.name.partition(".")
                if keys is not None and key not in keys:
                    continue
                stream = tar.extractfile(member)
                if stream is None:
                    raise DaitirError(
                        f"{path} holds {member.name!r}, which is no file: remove the shard and run again"
                    )
                if format_ == "json":
                    yield Picture(key, *waiting.pop(key), json.loads(stream.read()))
                else:
                    waiting[key] = (stream.read(), format_)
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: run snakemake to make it") from None
    except (tarfile.TarError, EOFError, KeyError, ValueError) as error:
        raise DaitirError(f"{path} is damaged ({error}): remove it and run again") from None
    if waiting:
        raise DaitirError(f"{path} ends before the record of {next(iter(waiting))}: remove it and run again")


def shard_provenance(path: Path) -> dict[str, Any]:
    """Return who made a shard."""
    with tarfile.open(path, "r:") as tar:
        return decode_provenance(tar.pax_headers.get(PROVENANCE), path)
