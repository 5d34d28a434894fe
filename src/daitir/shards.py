"""Image shards: WebDataset tars of generated images, byte-stable, with the provenance in the tar's header.

A picture that somebody published is not copied: its member is a symbolic link to the file, and its record
holds the digest of the file's bytes.
"""

import io
import json
import os
import tarfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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
    return Picture(key, _linked(link, meta["digest"], key, path), format_, meta, link)


def _linked(link: Path, digest: str, key: str, path: Path) -> bytes:
    try:
        data = link.read_bytes()
    except OSError:
        raise DaitirError(
            f"{link}, the picture {key} of {path}, is gone: bring it back, or remove the shard and run again"
        ) from None
    if digest_bytes([data]) != digest:
        raise DaitirError(
            f"{link}, the picture {key} of {path}, has changed since: bring it back, or remove the shard and"
            " run again"
        )
    return data


def _bytes_of(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    stream = tar.extractfile(member) if member.isfile() else None
    if stream is None:
        raise DaitirError(f"{path} holds {member.name!r}, which is no file: remove the shard and run again")
    return stream.read()


class _Place(NamedTuple):
    shard: Path
    offset: int
    size: int
    link: Path | None
    digest: str


class ShardPictures:
    """Pictures of many shards by key, each read when it is asked for; threads may ask at once.

    ``digest`` stands for all of them: their keys and how each was made.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        self._places: dict[str, _Place] = {}
        records: dict[str, bytes] = {}
        for shard in shards:
            for key, place, made in _index(shard):
                if key in self._places:
                    raise DaitirError(
                        f"picture {key} is in {self._places[key].shard} and in {shard}: remove one of them"
                    )
                self._places[key], records[key] = place, made
        self.digest = digest_bytes(part for key in sorted(records) for part in (key.encode(), records[key]))

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def keys(self) -> Collection[str]:
        """Return the keys of all pictures."""
        return self._places.keys()

    def read(self, key: str) -> bytes:
        """Return the encoded bytes of a picture."""
        place = self._places[key]
        if place.link is not None:
            return _linked(place.link, place.digest, key, place.shard)
        with place.shard.open("rb") as stream:
            stream.seek(place.offset)
            return stream.read(place.size)


def _index(shard: Path) -> Iterator[tuple[str, _Place, bytes]]:
    """Yield key, place and record of each picture of a shard."""
    try:
        _require_end(shard)
        with tarfile.open(shard, "r:") as tar:
            waiting: dict[str, tarfile.TarInfo] = {}
            for member in tar:
                key, _, format_ = member.name.partition(".")
                if format_ != "json":
                    waiting[key] = member
                    continue
                made, picture = _bytes_of(tar, member, shard), waiting.pop(key)
                link = Path(picture.linkname) if picture.issym() else None
                digest = json.loads(made)["digest"] if link else ""
                yield key, _Place(shard, picture.offset_data, picture.size, link, digest), made
    except FileNotFoundError:
        raise DaitirError(f"{shard} does not exist: run snakemake to make it") from None
    except (tarfile.TarError, EOFError, KeyError, ValueError) as error:
        raise DaitirError(f"{shard} is damaged ({error}): remove it and run again") from None
    if waiting:
        raise DaitirError(f"{shard} ends before the record of {next(iter(waiting))}: remove it and run again")


def shard_provenance(path: Path) -> dict[str, Any]:
    """Return who made a shard."""
    try:
        with tarfile.open(path, "r:") as tar:
            return decode_provenance(tar.pax_headers.get(PROVENANCE), path)
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: run snakemake to make it") from None
    except (tarfile.TarError, OSError) as error:
        raise DaitirError(f"{path} is damaged ({error}): remove it and run again") from None


def count_pictures(path: Path) -> int:
    """Return how many pictures a shard holds; none is read."""
    try:
        with tarfile.open(path, "r:") as tar:
            return sum(not member.name.endswith(".json") for member in tar)
    except (tarfile.TarError, OSError) as error:
        raise DaitirError(f"{path} is damaged ({error}): remove it and run again") from None
