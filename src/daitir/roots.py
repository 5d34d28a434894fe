"""Names from files that others wrote: they lead to a file inside their folder, or nowhere."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from daitir.errors import DaitirError

LINKS = "DAITIR_LINKS"  # environment variable: the folders into which links may lead
LARGEST_IMAGE = 2**30  # bytes of a file that a file of others names
LONGEST_NAME, LONGEST_PATH, SHOWN = 255, 1024, 100
ON_A_DRIVE = re.compile(r"[A-Za-z]:|\\\\")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def inside(root: Path, name: str, source: str) -> Path:
    """Path of ``name`` under ``root``, which is there or not; one that leaves the folder is refused.

    Names come from files that others wrote, and so may links inside the root: an archive unpacked there can
    hold them. A link out of the root is followed where the user allows its end: ``links`` in the config
    (COCO on another disk, the store of git-annex or DVC). What is found must be a file or a folder: a device
    or a pipe would be read for ever.
    """
    require_name(name, source, root)
    path = Path(root) / name
    status = _status_without_links(root, name)
    if status is None:
        end = _end_inside(root, name, source)
        try:
            status = end.stat()
        except OSError:
            return path  # is missed where it is read
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise DaitirError(f"{path} is no file but a device, a pipe or a socket: remove it")
    if stat.S_ISREG(status.st_mode) and status.st_size > LARGEST_IMAGE:
        raise DaitirError(f"{path} is absurdly large ({status.st_size} bytes): replace or remove it")
    return path


def _status_without_links(root: Path, name: str) -> os.stat_result | None:
    """Return the status of ``name`` where no part of it is a link: it then lies inside, unresolved.

    None where a part is a link or missing. To resolve a path takes as long as to decode a small picture.
    """
    status, path = None, os.fspath(root)
    for part in _parts(name):
        path = f"{path}{os.sep}{part}"
        try:
            status = os.lstat(path)
        except OSError:
            return None
        if stat.S_ISLNK(status.st_mode):
            return None
    return status


def _end_inside(root: Path, name: str, source: str) -> Path:
    """Return where ``name`` leads, over links, and refuse it where that is neither below root nor allowed."""
    end = Path(os.path.realpath(Path(root) / name))  # Path.resolve fails over a circle of links
    roots = (Path(root), *map(Path, _allowed_links()))
    if not any(end.is_relative_to(os.path.realpath(allowed)) for allowed in roots):
        raise DaitirError(
            f"{source}: {name!r} is a link out of its folder {root} to {end}: put the image itself there, or"
            " allow the folder that it leads to by `links` in the config"
        )
    return end


def require_name(name: str, source: str, root: Path | str = "of images") -> None:
    """Refuse a name that can name no file below a folder, on this system or another; ``source`` holds it."""
    shown = repr(name if len(name) <= SHOWN else name[:SHOWN] + "...")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or ON_A_DRIVE.match(name):
        raise DaitirError(f"{source}: {shown} leaves its folder {root}: use a path inside it, without `..`")
    if not name.strip(" ./") or UNPRINTABLE.search(name):
        raise DaitirError(f"{source}: {shown} names no file: remove it or mend its spelling")
    if "\\" in name:
        raise DaitirError(f"{source}: {shown} has a backslash: write `/` between folders, or rename the file")
    if len(name) > LONGEST_PATH or any(len(part.encode()) > LONGEST_NAME for part in parts):
        raise DaitirError(
            f"{source}: {shown} is too long for a file ({LONGEST_NAME} bytes at most): shorten it"
        )


def require_no_twins(names: Iterable[str], source: str) -> None:
    """Refuse two names of which another system, or another spelling, makes one file.

    The same letters can be written in several ways in Unicode (an accent on its letter or behind it), and the
    same path with more slashes and dots.
    """
    seen: dict[str, str] = {}
    for name in names:
        same = unicodedata.normalize("NFC", "/".join(_parts(name)))
        if seen.setdefault(same, name) != name:
            raise DaitirError(
                f"{source}: {seen[same]!a} and {name!a} are two spellings of one file: remove or rename one"
            )


def _parts(name: str) -> list[str]:
    """Return the folders and the file of a relative name; more slashes and dots than needed name nothing."""
    return [part for part in name.split("/") if part not in {"", "."}]


def _allowed_links() -> list[str]:
    """Return the folders into which links may lead: the workflow gives every job those of the config."""
    return [folder for folder in os.environ.get(LINKS, "").split(os.pathsep) if folder]


def allow_links(folders: Iterable[Path]) -> None:
    """Let links lead into these folders, in this process and those that it starts."""
    os.environ[LINKS] = os.pathsep.join(str(Path(folder).absolute()) for folder in folders)
