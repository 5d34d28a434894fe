"""The members that an image shard may have, pictures and their records; all else in a tar is refused."""

import re
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from daitir.errors import DaitirError
from daitir.roots import LARGEST_IMAGE

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.(?:png|jpg|webp|json)")
HEADERS = {"path", "linkpath"}  # extended headers of a member: names that are too long for the plain one
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}


def checked_members(
    tar: tarfile.TarFile, shard: Path, headers: set[str], with_links: bool
) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a shard: whole files, each once, named as ours are; links where there may be any.

    ``headers`` are those of the whole tar. A name twice is refused at once: a header can send its reader
    back, to read the same members for ever.
    """
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
        yield member


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
    return path.is_absolute() and ".." not in path.parts and path.suffix.lower() in PICTURES


def read_linked(link: Path) -> bytes | None:
    """Return the bytes of a published picture; None where there is none, or a pipe or a file without end."""
    try:
        status = link.stat()
        is_file = stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_IMAGE
        return link.read_bytes() if is_file else None
    except (OSError, ValueError):
        return None
