"""Texts that were longer than their reader reads, and were cut."""

from dataclasses import dataclass
from pathlib import Path

from daitir.features import features_provenance
from daitir.layout import Layout, shard_names
from daitir.report.run import Measured
from daitir.report.trained import encoders_of, part_of
from daitir.shards import shard_provenance


@dataclass(frozen=True)
class CutTexts:
    """How many texts of a reformulator were longer than an encoder or generator reads, and were cut."""

    what: str
    queries: str
    reader: str
    cut: int
    texts: int


def cut_texts(layout: Layout, run: Measured) -> list[CutTexts]:
    """Return the texts that were cut on one dialogue set: query texts by encoders, prompts by generators.

    What is tuned cuts with each seed alike.
    """
    systems, name = run.searching, run.dialogues.name
    found = []
    read = {(system.queries, system.encoder): encoders_of(layout, system, name)[0] for system in systems}
    for (queries, encoder), instance in read.items():
        path = Path(layout.query_features(instance, queries, name))
        texts = part_of(features_provenance(path), "texts", path)
        found.append(CutTexts("query texts", queries, encoder, texts["truncated"], texts["all"]))
    drawn = ((system.queries, system.images) for system in systems if system.images is not None)
    for queries, images in dict.fromkeys(drawn):
        shards = shard_names(run.dialogues.shards)
        counts = [_prompts(Path(layout.images(images, queries, name, shard))) for shard in shards]
        cut, texts = (sum(count[key] for count in counts) for key in ("cut", "all"))
        if texts:
            found.append(CutTexts("prompts", queries, images, cut, texts))
    return found


def _prompts(path: Path) -> dict[str, int]:
    """Return how many prompts a shard was drawn from, and how many were cut; published pictures have none."""
    record = shard_provenance(path)
    if record["options"].get("generator", {}).get("kind") == "released":
        return {"all": 0, "cut": 0}
    return part_of(record, "prompts", path)
