"""Published pictures, read in place: found by their names, checked, and linked."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.files import digest_bytes
from daitir.generators import ReleasedOptions, fields_of
from daitir.images import decode_image
from daitir.progress import progress
from daitir.queries import Query, picture_key
from daitir.roots import inside
from daitir.shards import Picture

FORMATS = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp"}
SHOWN = 3


def released_pictures(
    options: ReleasedOptions,
    queries: Sequence[Query],
    dialogues: Sequence[Dialogue],
    folder: Path,
    record: dict[str, Any],
) -> list[Picture]:
    """Return the published pictures of the queries, each a link to its file with the digest of its bytes.

    Pictures that are not there are counted and the first are named; one that cannot be decoded is refused.
    """
    files = list(_files(options, queries, dialogues, folder))
    missing = [path for _, _, path in files if not path.is_file()]
    if missing:
        names = ", ".join(path.relative_to(folder).as_posix() for path in missing[:SHOWN])
        raise DaitirError(
            f"{folder} lacks {len(missing)} of {len(files)} pictures, the first are {names}: fetch them, or"
            " mend `folders` or `pattern` of the generator"
        )
    return [
        _linked(key, k, path, record) for key, k, path in progress(files, "pictures", len(files), "images")
    ]


def _files(
    options: ReleasedOptions, queries: Sequence[Query], dialogues: Sequence[Dialogue], folder: Path
) -> Iterator[tuple[str, int, Path]]:
    """Yield key, k and file of every picture, whether the file is there or not."""
    by_id = {dialogue.dialogue_id: dialogue for dialogue in dialogues}
    for query in queries:
        dialogue = by_id.get(query.dialogue_id)
        if dialogue is None:
            raise DaitirError(
                f"query {query.key} belongs to none of the {len(by_id)} dialogues: remove its shard and run"
                " again"
            )
        for k in range(1, options.images + 1):
            name = options.pattern.format(
                place=_place(dialogue, options),
                round=query.round,
                k=k,
                stem=Path(dialogue.target).stem,
                target=dialogue.target,
                dialogue_id=dialogue.dialogue_id,
            )
            yield picture_key(query.dialogue_id, query.round, k), k, inside(folder, name, "`pattern`")


def _place(dialogue: Dialogue, options: ReleasedOptions) -> int:
    if dialogue.place is None and "place" in fields_of(options.pattern):
        raise DaitirError(
            f"dialogue {dialogue.dialogue_id} has no place in its file, by which {options.pattern!r} names"
            " its pictures: use another field"
        )
    return dialogue.place or 0


def _linked(key: str, k: int, path: Path, record: dict[str, Any]) -> Picture:
    format_ = FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise DaitirError(
            f"{path} is no png, jpg or webp by its name: mend `pattern` of the generator, or convert the"
            " picture"
        )
    data = path.read_bytes()
    decode_image(data, str(path))
    meta = {"k": k, "digest": digest_bytes([data]), "options": record}
    return Picture(key, b"", format_, meta, link=path.absolute())
