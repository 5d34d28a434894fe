"""The members that an image shard may have, pictures and their records; all else in a tar is refused."""

import os
import re
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from daitir.errors import DaitirError
from daitir.roots import LARGEST_IMAGE

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.(?:png|jpg|webp|json)")
HEADERS = {"path", "linkpath"}  # extended headers of a member: names that are too long for the plain one
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}
# Where a header has its fields (POSIX.1-1988, ustar).
NAMED, SIZED, SUMMED, BEHIND = slice(0, 100), slice(124, 136), slice(148, 156), 156


class Member(NamedTuple):
    """A picture or a record: its name, where its bytes lie in the tar, and the file that a link leads to."""

    name: str
    offset: int
    size: int
    link: Path | None = None


def checked_members(tar: tarfile.TarFile, shard: Path, headers: set[str], with_links: bool) -> list[Member]:
    """Return the members of a shard: whole files, each once, named as ours are; links where there may be any.

    ``headers`` are those of the whole tar. Members whose headers are, to the byte, those that we write need
    no further look, which takes most of the time.
    """
    first = tar.next() if set(tar.pax_headers) <= headers else None
    if first is not None and (plain := _plain_members(shard, first.offset)) is not None:
        return plain
    return list(_any_members(tar, shard, headers, with_links))


def _plain_members(shard: Path, start: int) -> list[Member] | None:
    """Return the members if every header is one of ours and no name comes twice; else None."""
    found: dict[str, Member] = {}
    with shard.open("rb") as file:
        descriptor, end, at = file.fileno(), os.fstat(file.fileno()).st_size, start
        while (block := os.pread(descriptor, tarfile.BLOCKSIZE, at)) != NOTHING:
            member = _plain_member(block, at + tarfile.BLOCKSIZE)
            if member is None or member.name in found or member.offset + member.size > end:
                return None
            found[member.name] = member
            at = member.offset - -member.size // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
    return list(found.values())


def _plain_member(block: bytes, offset: int) -> Member | None:
    """Return a member if ``block`` is the header that we write for its name and size; else None."""
    name, size = block[NAMED].rstrip(b"\0"), block[SIZED][:-1]
    if not size.isdigit() or block != _header(name, size):
        return None
    told = name.decode("ascii", "replace")
    return Member(told, offset, int(size, 8)) if NAME.fullmatch(told) else None


def _header(name: bytes, size: bytes) -> bytes:
    total = b"%06o\0 " % (EMPTY_SUM + sum(name) + sum(size))
    return b"".join((name.ljust(100, b"\0"), OWNED, size, b"\0", DATED, total, KIND))


NOTHING = bytes(tarfile.BLOCKSIZE)
EMPTY = tarfile.TarInfo().tobuf(tarfile.PAX_FORMAT)
OWNED, DATED, KIND = EMPTY[NAMED.stop : SIZED.start], EMPTY[SIZED.stop : SUMMED.start], EMPTY[BEHIND:]
EMPTY_SUM = sum(OWNED) + sum(DATED) + sum(KIND) + 8 * ord(" ")  # the sum itself counts as spaces


def _any_members(tar: tarfile.TarFile, shard: Path, headers: set[str], with_links: bool) -> Iterator[Member]:
    """Yield members; a name twice is refused at once: a header can send its reader back, for ever."""
    size, seen = shard.stat().st_size, set[str]()
    for member in tar:
        fault = _fault(member, size, HEADERS | headers, with_links)
        if member.name in seen:
            fault = "stands there twice"
        if fault:
            raise DaitirError(
                f"{shard} holds {member.name[:100]!r}, which {fault}: it was not written by daitir; remove it"
                " and run again"
            )
        seen.add(member.name)
        link = Path(member.linkname) if member.issym() else None
        yield Member(member.name, member.offset_data, member.size, link)


def _fault(member: tarfile.TarInfo, size: int, headers: set[str], with_links: bool) -> str | None:
    if not NAME.fullmatch(member.name):
        return "is no name of a picture or its record"
    if member.issparse() or set(member.pax_headers) - headers:
        return "has extended headers"
    if member.issym():
        return None if with_links and _is_plain_link(member) else "is a link"
    if member.type != tarfile.REGTYPE:
        return "is no file"
    if member.size < 0 or member.offset_data + member.size > size:
        return f"claims {member.size} bytes"
    return None


def _is_plain_link(member: tarfile.TarInfo) -> bool:
    """Tell whether a link leads to a picture by a whole path, as ours do."""
    path = Path(member.linkname)
    is_whole = path.is_absolute() and ".." not in path.parts
    return is_whole and path.suffix.lower() in PICTURES and not member.name.endswith(".json")


def read_linked(link: Path) -> bytes | None:
    """Return the bytes of a published picture; None where there is none, or a pipe or a file without end."""
    try:
        status = link.stat()
        is_file = stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_IMAGE
        return link.read_bytes() if is_file else None
    except (OSError, ValueError):
        return None
