"""Who made the numbers of a page: its components and versions, from the provenance of all files behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daitir.features import features_provenance
from daitir.layout import Layout, shard_names
from daitir.report.run import Measured
from daitir.report.trained import encoders_of, part_of
from daitir.shards import shard_provenance
from daitir.tables import table_provenance

ROLES = ("reformulator", "generator", "encoder", "fusion")
NOT_SETTINGS = ("kind", "model")
PUBLISHED = "published by others"
PROVENANCE_OF = {".parquet": table_provenance, ".tar": shard_provenance, ".h5": features_provenance}


@dataclass(frozen=True)
class Origin:
    """A component as its files record it: kind, model, digest of its directory or file, settings."""

    role: str
    name: str
    kind: str
    model: str
    digest: str
    settings: str


@dataclass(frozen=True)
class Makers:
    """All components, each with the versions that made its files, and how many files were asked."""

    origins: Mapping[Origin, Sequence[str]]
    files: int

    @property
    def versions(self) -> list[str]:
        """The sets of versions that made the files; one, unless parts of the run are older."""
        return list(dict.fromkeys(text for versions in self.origins.values() for text in versions))


@dataclass(frozen=True)
class _File:
    """A file that a component made; of an encoder's files, those of query texts tell everything."""

    role: str
    name: str
    dialogues: str
    path: Path
    tells_all: bool = True


def who_made(
    layout: Layout, runs: Sequence[Measured], published: Mapping[tuple[str, str], Mapping[str, str]]
) -> Makers:
    """Return every component in the order of the pipeline.

    A component whose files differ in what made them is listed once for each. ``published`` says where
    material of others is read: (role, component) -> dialogue set -> path.
    """
    files = sorted(
        dict.fromkeys(file for run in runs for file in _files(layout, run)),
        key=lambda file: (ROLES.index(file.role), not file.tells_all),
    )
    origins: dict[Origin, dict[str, None]] = {}
    last: dict[tuple[str, str], Origin] = {}
    for file in files:
        record = PROVENANCE_OF[file.path.suffix](file.path)
        if file.tells_all:
            place = published.get((file.role, file.name), {}).get(file.dialogues, "")
            last[file.role, file.name] = _origin(file, record, place)
        versions = ", ".join(f"{package} {number}" for package, number in record["versions"].items())
        origins.setdefault(last[file.role, file.name], {})[versions] = None
    return Makers({origin: list(versions) for origin, versions in origins.items()}, len(files))


def _files(layout: Layout, run: Measured) -> Iterator[_File]:
    name, shards = run.dialogues.name, shard_names(run.dialogues.shards)
    for system in run.systems.values():
        method = system.name if system.is_oracle else system.method
        yield _File("fusion", method, name, Path(layout.ranks(system.name, name)))
    for system in run.searching:
        queries, images = system.queries, system.images
        for shard in shards:
            yield _File("reformulator", queries, name, Path(layout.queries(queries, name, shard)))
            if images is not None:
                drawn = layout.images(images, queries, name, shard)
                yield _File("generator", images, name, Path(drawn))
        for encoder in encoders_of(layout, system, name):
            texts = layout.query_features(encoder, queries, name)
            yield _File("encoder", encoder, name, Path(texts))
            corpus = layout.corpus_features(encoder, run.dialogues.corpus)
            yield _File("encoder", encoder, "", Path(corpus), tells_all=False)
            for shard in shards if images is not None else ():
                seen = layout.image_features(encoder, str(images), queries, name, shard)
                yield _File("encoder", encoder, name, Path(seen), tells_all=False)


def _origin(file: _File, record: dict[str, Any], place: str) -> Origin:
    options = record["options"]
    component = options.get(file.role, {})
    settings = {
        key: _plain(value)
        for key, value in component.items()
        if key not in NOT_SETTINGS and value not in (None, {}, [])
    }
    tuned = options.get("tuned") if file.role == "encoder" else None
    if tuned is not None:
        settings |= {"tuned by": tuned["recipe"]["kind"], "seed": str(tuned["seed"])}
    if file.role == "encoder":
        settings |= _facts(record, file.path)
    if place:
        settings["read from"] = place
    unsaid = {"generator": "diffusers", "fusion": "oracle" if "of" in component else ""}
    kind = str(component.get("kind", unsaid.get(file.role, "")))
    read = {"reformulator": "released", "encoder": "model"}.get(file.role, "")
    return Origin(
        role=file.role,
        name=file.name,
        kind=kind,
        model=PUBLISHED if kind == "released" else str(component.get("model", "")),
        digest=record["inputs"].get(read) or options.get("digests", {}).get("model", ""),
        settings=", ".join(f"{key} {value}" for key, value in settings.items()),
    )


def _facts(record: dict[str, Any], path: Path) -> dict[str, str]:
    """Return what an encoder says of itself: weights, tokens that it reads, width, preprocessing."""
    facts = part_of(record, "facts", path)
    return {
        "weights": f"{part_of(facts, 'parameters', path):,}",
        "reads": f"{facts['text_limit']} tokens of a text",
        "width": str(facts["width"]),
        "preprocessing": _plain(facts["preprocessing"]),
    }


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}:{_plain(part)}" for key, part in value.items())
    if isinstance(value, list):
        return " ".join(_plain(part) for part in value)
    return repr(value) if isinstance(value, str) and value != value.strip() else str(value)
