"""Image shards: WebDataset tars of generated images, byte-stable, with the provenance in the tar's header.

The record of each picture holds the digest of its bytes. A picture that somebody published is not copied: its
member is a symbolic link to the file, and the digest is that of the file's bytes.
"""

import io
import json
import os
import tarfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from daitir.errors import DaitirError
from daitir.files import atomic, canonical_json, digest_bytes
from daitir.members import Member, checked_members, read_linked
from daitir.seals import content_digest, seal, unseal

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
    ordered = sorted(pictures, key=lambda picture: picture.key)
    made = [_record_of(picture) for picture in ordered]
    names = [f"{picture.key}.{picture.format}" for picture in ordered]
    header = {PROVENANCE: seal(record, path, _content(zip(names, made, strict=True)))}
    with (
        atomic(path) as partial,
        tarfile.open(partial, "w", format=tarfile.PAX_FORMAT, pax_headers=header) as tar,
    ):
        for picture, name, text in zip(ordered, names, made, strict=True):
            _add(tar, name, picture.data, picture.link)
            _add(tar, f"{picture.key}.json", text)


def _record_of(picture: Picture) -> bytes:
    """Return the record of a picture as it is stored: with the digest of its bytes."""
    digest = {} if picture.link is not None else {"digest": digest_bytes([picture.data])}
    return canonical_json(picture.meta | digest).encode()


def _content(members: Iterable[tuple[str, bytes]]) -> str:
    """Digest of a shard: the names of its pictures and their records, which have the pictures' digests."""
    return content_digest(part for name, made in members for part in (name.encode(), made))


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

    A picture that is not what was written, or whose linked file is gone or has changed since, is refused by
    its name.
    """
    for key, (place, made) in _index(Path(path)).items():
        if keys is None or key in keys:
            meta = json.loads(made)
            if place.link is None:
                del meta["digest"]
            yield Picture(key, _read(place, key), place.format, meta, place.link)


def _require_end(path: Path) -> None:
    """Refuse a tar without its end, two empty blocks: one cut between members would be read as whole."""
    end = 2 * tarfile.BLOCKSIZE
    with Path(path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - end))
        if size % tarfile.RECORDSIZE or file.read() != bytes(end):
            raise DaitirError(f"{path} is cut short at {size} bytes: remove it and run again")


def _linked(link: Path, digest: str, key: str, path: Path) -> bytes:
    data = read_linked(link)
    if data is None:
        raise DaitirError(
            f"{link}, the picture {key} of {path}, is gone: bring it back, or remove the shard and run again"
        )
    if digest_bytes([data]) != digest:
        raise DaitirError(
            f"{link}, the picture {key} of {path}, has changed since: bring it back, or remove the shard and"
            " run again"
        )
    return data


class _Place(NamedTuple):
    shard: Path
    offset: int
    size: int
    link: Path | None
    format: str
    digest: str


class ShardPictures:
    """Pictures of many shards by key, each read when it is asked for; threads may ask at once.

    ``digest`` stands for all of them: their keys and how each was made.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        self._places: dict[str, _Place] = {}
        records: dict[str, bytes] = {}
        for shard in shards:
            for key, (place, made) in _index(Path(shard)).items():
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

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digest of each picture's bytes, as they were written: equal pictures have equal ones."""
        return {key: place.digest for key, place in self._places.items()}

    def read(self, key: str) -> bytes:
        """Return the encoded bytes of a picture, which are those of its digest."""
        return _read(self._places[key], key)


def _read(place: _Place, key: str) -> bytes:
    """Return the bytes of a picture, which must be those that were written."""
    if place.link is not None:
        return _linked(place.link, place.digest, key, place.shard)
    with place.shard.open("rb") as stream:
        stream.seek(place.offset)
        data = stream.read(place.size)
    if digest_bytes([data]) != place.digest:
        raise DaitirError(f"{place.shard} is damaged at the picture {key}: remove it and run again")
    return data


def _index(shard: Path) -> dict[str, tuple[_Place, bytes]]:
    """Return place and record of each picture of a shard, which must hold just what was written."""
    found: dict[str, tuple[_Place, bytes]] = {}
    names: list[tuple[str, bytes]] = []
    with _opened(shard) as tar, shard.open("rb") as file:
        _require_end(shard)
        sealed = unseal(tar.pax_headers.get(PROVENANCE), shard)
        waiting: dict[str, Member] = {}
        for member in checked_members(tar, shard, {PROVENANCE}, _has_links(sealed.record)):
            key, _, format_ = member.name.partition(".")
            if format_ != "json":
                waiting[key] = member
                continue
            made, picture = os.pread(file.fileno(), member.size, member.offset), waiting.pop(key)
            found[key] = _place(picture, made, shard), made
            names.append((picture.name, made))
        if waiting:
            raise DaitirError(
                f"{shard} ends before the record of {next(iter(waiting))}: remove it and run again"
            )
        sealed.require(_content(names))
    return found


def _has_links(record: dict[str, Any]) -> bool:
    """Tell whether a shard is one of links: others hold pictures, and a link there is somebody else's."""
    options = record.get("options")
    generator = options.get("generator") if isinstance(options, dict) else None
    return isinstance(generator, dict) and generator.get("kind") == "released"


def _place(picture: Member, made: bytes, shard: Path) -> _Place:
    format_ = picture.name.partition(".")[2]
    return _Place(shard, picture.offset, picture.size, picture.link, format_, json.loads(made)["digest"])


def shard_provenance(path: Path) -> dict[str, Any]:
    """Return who made a shard."""
    with _opened(Path(path)) as tar:
        return unseal(tar.pax_headers.get(PROVENANCE), path).record


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Yield a shard to read; what is wrong with it becomes one line."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: run snakemake to make it") from None
    except DaitirError:
        raise
    except Exception as error:
        # Damaged headers end in errors of every kind, RecursionError and MemoryError among them.
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise DaitirError(f"{path} is damaged ({said}): remove it and run again") from None


def count_pictures(path: Path) -> int:
    """Return how many pictures a shard holds; none is read."""
    with _opened(Path(path)) as tar:
        return sum(not member.name.endswith(".json") for member in tar)
