"""Image shards: WebDataset tars of generated images, byte-stable, with the provenance in the tar's header.

A picture that somebody published is not copied: its member is a symbolic link to the file, and its record
holds the digest of the file's bytes.
"""

import io
import json
import os
import tarfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daitir.errors import DaitirError
from daitir.files import atomic, canonical_json, digest_bytes
from daitir.provenance import decode_provenance, encode_provenance

PROVENANCE = "daitir.provenance"


@dataclass(frozen=True)
class Picture:
    """A stored image: its key, the encoded bytes, their format (png, jpg, webp), and how it was made.

    One with a ``link``, an absolute path, lies in that file; writing it takes no ``data``, but the file's
    ``digest`` in ``meta``, and reading it returns the file's bytes.
    """

    key: str
    data: bytes
    format: str
    meta: dict[str, Any]
    link: Path | None = None


def write_shard(path: Path, pictures: Iterable[Picture], record: dict[str, Any]) -> None:
    """Write one finished tar: members sorted, no times or owners, so equal pictures are equal bytes."""
    header = {PROVENANCE: encode_provenance(record)}
    with (
        atomic(path) as partial,
        tarfile.open(partial, "w", format=tarfile.PAX_FORMAT, pax_headers=header) as tar,
    ):
        for picture in sorted(pictures, key=lambda picture: picture.key):
            _add(tar, f"{picture.key}.{picture.format}", picture.data, picture.link)
            _add(tar, f"{picture.key}.json", canonical_json(picture.meta).encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes, link: Path | None = None) -> None:
    member = tarfile.TarInfo(name)
    member.mtime = 0
    if link is not None:
        member.type, member.linkname = tarfile.SYMTYPE, str(link)
        tar.addfile(member)
        return
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def read_shard(path: Path, keys: Collection[str] | None = None) -> Iterator[Picture]:
    """Yield the pictures of a shard in the order of their keys; with ``keys``, only those.

    A linked picture whose file is gone or has changed since is refused by its name.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            _require_end(path)
            waiting: dict[str, tarfile.TarInfo] = {}
            for member in tar:
                key, _, format_ = member.name.partition(".")
                if keys is not None and key not in keys:
                    continue
                if format_ == "json":
                    yield _read_picture(tar, waiting.pop(key), json.loads(_bytes_of(tar, member, path)), path)
                else:
                    waiting[key] = member
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: run snakemake to make it") from None
    except (tarfile.TarError, EOFError, KeyError, ValueError, OSError) as error:
        raise DaitirError(f"{path} is damaged ({error}): remove it and run again") from None
    if waiting:
        raise DaitirError(f"{path} ends before the record of {next(iter(waiting))}: remove it and run again")


def _require_end(path: Path) -> None:
    """Refuse a tar without its end, two empty blocks: one cut between members would be read as whole."""
    end = 2 * tarfile.BLOCKSIZE
    with Path(path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - end))
        if size % tarfile.RECORDSIZE or file.read() != bytes(end):
            raise DaitirError(f"{path} is cut short at {size} bytes: remove it and run again")


def _read_picture(tar: tarfile.TarFile, member: tarfile.TarInfo, meta: dict[str, Any], path: Path) -> Picture:
    key, _, format_ = member.name.partition(".")
    if not member.issym():
        return Picture(key, _bytes_of(tar, member, path), format_, meta)
    link = Path(member.linkname)
    try:
        data = link.read_bytes()
    except OSError:
        raise DaitirError(
            f"{link}, the picture {key} of {path}, is gone: bring it back, or remove the shard and run again"
        ) from None
    if digest_bytes([data]) != meta["digest"]:
        raise DaitirError(
            f"{link}, the picture {key} of {path}, has changed since: bring it back, or remove the shard and"
            " run again"
        )
    return Picture(key, data, format_, meta, link)


def _bytes_of(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    stream = tar.extractfile(member) if member.isfile() else None
    if stream is None:
        raise DaitirError(f"{path} holds {member.name!r}, which is no file: remove the shard and run again")
    return stream.read()


def shard_provenance(path: Path) -> dict[str, Any]:
    """Return who made a shard."""
    try:
        with tarfile.open(path, "r:") as tar:
            return decode_provenance(tar.pax_headers.get(PROVENANCE), path)
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: run snakemake to make it") from None
    except (tarfile.TarError, OSError) as error:
        raise DaitirError(f"{path} is damaged ({error}): remove it and run again") from None
