"""Thumbnails: small pictures in one folder, named by their content, so that equal ones are stored once."""

from collections.abc import Iterable
from pathlib import Path

from daitir.errors import DaitirError
from daitir.files import digest_bytes
from daitir.images import in_threads
from daitir.queries import picks_shard, picture_key
from daitir.report.pictures import small_picture
from daitir.roots import inside
from daitir.shards import Picture, read_shard

Drawn = list[list[str | None]]  # name of the thumbnail, and of the file that others published, if they did


class Album:
    """The folder of the thumbnails. ``workers`` threads make them; the bytes do not depend on how many."""

    def __init__(self, folder: Path, size: int, workers: int = 2) -> None:
        self.folder, self.size, self.workers = folder, size, workers
        self._names: dict[Path, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, data: bytes, source: str) -> str:
        """Store a picture and return the name of its thumbnail."""
        small, format_ = small_picture(data, source, self.size)
        name = f"{digest_bytes([data])}.{format_}"
        (self.folder / name).write_bytes(small)
        return name

    def add_candidates(self, images: Path, keys: Iterable[str]) -> dict[str, str]:
        """Store images of a corpus and return their names by key."""
        paths = {key: inside(images, key, "ranks") for key in keys}
        new = [path for path in paths.values() if path not in self._names]
        self._names.update(zip(new, in_threads(self._add_file, new, self.workers), strict=True))
        return {key: self._names[path] for key, path in paths.items()}

    def _add_file(self, path: Path) -> str:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise DaitirError(f"corpus image {path} does not exist: mend `images:` of the corpus") from None
        return self.add(data, str(path))

    def add_drawn(
        self, shards: dict[str, Path], ids: list[str], places: list[int], rounds: list[int], count: int
    ) -> dict[int, list[Drawn]]:
        """Store the ``count`` generated images of each round of some dialogues, and return them by place."""
        found: dict[str, list[str | None]] = {}
        for shard, path in shards.items():
            own = {ids[place] for place in places} & picks_shard(ids, shard)
            numbers = range(1, count + 1)
            wanted = {picture_key(name, round_, k) for name in own for round_ in rounds for k in numbers}
            if wanted:
                self._add_shard(path, wanted, found)
        return {
            place: [
                [found[picture_key(ids[place], round_, k)] for k in range(1, count + 1)] for round_ in rounds
            ]
            for place in places
        }

    def _add_shard(self, path: Path, wanted: set[str], found: dict[str, list[str | None]]) -> None:
        def add(picture: Picture) -> tuple[str, str, str | None]:
            name = self.add(picture.data, f"{path}: {picture.key}")
            return picture.key, name, picture.link.name if picture.link else None

        for key, name, published in in_threads(add, read_shard(path, wanted), self.workers):
            found[key] = [name, published]
        missing = sorted(wanted - found.keys())
        if missing:
            raise DaitirError(
                f"{path} lacks {len(missing)} of {len(wanted)} images, the first is {missing[0]!r}: remove"
                " the shard and run again"
            )
