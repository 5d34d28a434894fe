"""Seals: what a file knows of itself, so that damage and mix-ups are found before anything is used.

A seal stands in a file's provenance, or beside a file that has no room for one (``.NAME.seal``). It holds the
digest of the content, the file's place in a results folder, and a digest of the provenance with both.
Readers compare the content that they have read, so nothing that happens to a file on its way goes unseen,
and a flipped bit in padding disturbs nobody.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from daitir.errors import DaitirError
from daitir.files import atomic, canonical_json, digest_text
from daitir.layout import place_of

SEAL = "seal"
IN_FOLDER, IN_MODEL = ".seal", "provenance.json"
OF_SNAKEMAKE = ".snakemake_timestamp"  # put into every folder that a job makes
BLOCK = 2**20


@dataclass(frozen=True)
class Sealed:
    """What a file says of itself: its provenance and the digest of its content."""

    path: Path
    record: dict[str, Any]
    content: str

    def require(self, found: str) -> None:
        """Refuse the file if the content that was read is not the one that was written."""
        if found != self.content:
            raise DaitirError(
                f"{self.path} is damaged, its content is not what was written: remove it and run again"
            )


def content_digest(parts: Iterable[Any]) -> str:
    """Return a digest of buffers, each counted with its length, that is as fast as memory.

    It finds what happens to files by accident; nobody who forges one is kept out.
    """
    hasher = xxhash.xxh3_128()
    for part in parts:
        view = memoryview(part)
        view = view.cast("B") if view.nbytes else memoryview(b"")  # nothing has no shape to cast
        hasher.update(view.nbytes.to_bytes(8, "little"))
        hasher.update(view)
    return hasher.hexdigest()


def seal(record: dict[str, Any], path: Path, content: str) -> str:
    """Return the provenance of a file as JSON, with its seal."""
    text = canonical_json({name: value for name, value in record.items() if name != SEAL})
    plain: dict[str, Any] = json.loads(text)  # as it will be read
    plain[SEAL] = {"content": content, "place": place_of(Path(path))}
    plain[SEAL]["digest"] = digest_text(canonical_json(plain))
    return canonical_json(plain)


def unseal(text: str | bytes | None, path: Path) -> Sealed:
    """Return what a file says of itself; one that says nothing, is torn or lies elsewhere is refused."""
    if not text:
        raise DaitirError(
            f"{path} carries no provenance: it was not written by daitir; remove it and run again"
        )
    try:
        record = json.loads(text)
        sign = record.pop(SEAL, None)
        digest = sign.pop("digest") if isinstance(sign, dict) and "digest" in sign else None
        found = digest_text(canonical_json(record | {SEAL: sign}))  # fails over what JSON cannot say
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise _torn(path) from None
    if sign is None:
        raise DaitirError(f"{path} carries no seal: an older daitir wrote it; remove it and run again")
    if not isinstance(sign, dict) or sign.keys() != {"content", "place"} or found != digest:
        raise _torn(path)
    here = place_of(Path(path))
    if None not in {here, sign["place"]} and here != sign["place"]:
        raise DaitirError(f"{path} is not its own: it was made as {sign['place']}; remove it and run again")
    return Sealed(Path(path), record, sign["content"])


def _torn(path: Path) -> DaitirError:
    return DaitirError(f"{path} is damaged, its provenance is torn: remove it and run again")


def seal_beside(path: Path) -> Path:
    """Return where the seal of a text lies."""
    path = Path(path)
    return path.with_name(f".{path.name}.seal")


def write_sealed(path: Path, text: str | bytes) -> None:
    """Write a text, or the bytes of a picture, as one finished file, and before it its seal."""
    data = text.encode() if isinstance(text, str) else text
    with atomic(seal_beside(path)) as partial:
        partial.write_text(seal({}, path, content_digest([data])) + "\n", encoding="utf-8")
    with atomic(path) as partial:
        partial.write_bytes(data)


def read_sealed(path: Path) -> bytes:
    """Return the bytes of a file whose seal lies beside it."""
    try:
        data = Path(path).read_bytes()
        text = seal_beside(path).read_bytes()
    except FileNotFoundError as error:
        what = f"{path}" if error.filename == str(path) else f"the seal of {path}"
        raise DaitirError(f"{what} does not exist: run snakemake to make it") from None
    except OSError as error:
        raise DaitirError(f"{path} cannot be read ({error}): remove it and run again") from None
    unseal(text, path).require(content_digest([data]))
    return data


def provenance_beside(dialogues: Path) -> Path:
    """Return the file that says who simulated a file of dialogues: JSON Lines have no header."""
    return dialogues.with_name(f"{dialogues.stem}.provenance.json")


def require_whole(path: Path) -> None:
    """Refuse a text that is not what was written, as far as a seal beside it tells.

    Files of a user's own have none; so has one that is not there, which is its reader's concern.
    """
    path = Path(path)
    for beside in (seal_beside(path), provenance_beside(path)):
        if path.is_file() and beside.is_file() and place_of(path) is not None:
            unseal(beside.read_bytes(), path).require(content_digest([path.read_bytes()]))


def seal_folder(folder: Path, path: Path, record: dict[str, Any], name: str = IN_FOLDER) -> None:
    """Write the seal of a folder, which will be called ``path``, into it: as the file ``name``, the last."""
    text = seal(record, path, folder_digest(folder, name))
    indented = json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False)
    (folder / name).write_text(indented + "\n", encoding="utf-8")


def read_folder_seal(folder: Path, name: str = IN_FOLDER) -> Sealed:
    """Return what a folder says of itself; it must hold what was written, no more and no less."""
    try:
        text = (folder / name).read_bytes()
    except OSError as error:
        raise DaitirError(
            f"{folder / name} cannot be read ({error}): remove the folder and run again"
        ) from None
    sealed = unseal(text, folder)
    sealed.require(folder_digest(folder, name))
    return sealed


def folder_digest(folder: Path, without: str) -> str:
    """Return the digest of the names and bytes of a folder's files; the one that is its seal is left out."""
    hasher = xxhash.xxh3_128()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name in {without, OF_SNAKEMAKE}:
            continue
        hasher.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                hasher.update(block)
    return hasher.hexdigest()
