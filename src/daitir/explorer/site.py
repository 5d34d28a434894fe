"""Writes the folder of the explorer: the page, the numbers and texts of each dialogue set, thumbnails.

``data/index.js`` says what there is; the page loads the rest as it is looked at: ``data/{set}/dialogues.js``,
``pictures.js``, ``ranks/{system}.seed-{n}.js`` and ``queries/{reformulator}.{chunk}.js``.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from daitir.charts import COLOURS
from daitir.corpora import read_corpus
from daitir.dialogues import Dialogue, read_dialogues
from daitir.errors import DaitirError
from daitir.explorer.album import Album
from daitir.explorer.choosing import choose, pairs_of
from daitir.explorer.configured import Configured, Shown
from daitir.explorer.packing import SCALE, pack_counts, pack_text, pack_values, write_data
from daitir.explorer.page import write_page
from daitir.explorer.rankings import Keys, Ranking, read_rankings
from daitir.explorer.texts import CHUNK, chunks_of_texts
from daitir.layout import Layout, shard_names
from daitir.ranks import ranks_provenance


@dataclass(frozen=True)
class Site:
    """The folder that is written, and where the results lie."""

    config: Configured
    layout: Layout
    folder: Path
    album: Album


def write_site(config: Configured, order: tuple[str, ...], layout: Layout, folder: Path) -> None:
    """Write the explorer of all evaluated dialogue sets to an empty folder."""
    write_page(folder)
    site = Site(config, layout, folder, Album(folder / "pictures", config.report.explorer.size))
    sets = [_write_set(site, name, config.shown_on(name, order)) for name in config.evaluate]
    write_data(folder, "index", {"sets": sets, "chunk": CHUNK, "scale": SCALE})


def _write_set(site: Site, name: str, systems: list[Shown]) -> dict[str, Any]:
    """Write the data of one dialogue set and return its entry of the index."""
    dialogues = sorted(read_dialogues(Path(site.layout.dialogues(name))), key=lambda one: one.dialogue_id)
    ids, keys = [dialogue.dialogue_id for dialogue in dialogues], Keys()
    targets = [keys.number(dialogue.target) for dialogue in dialogues]
    ranked = _write_ranks(site, name, systems, ids, keys)
    for reformulator in sorted({system.queries for system in systems if system.queries}):
        _write_texts(site, name, reformulator, ids, ranked.rounds)
    pairs = pairs_of(systems)
    chosen = choose(ranked.first, pairs, site.config.report.explorer.thumbnails)
    shown = ranked.seen(chosen) | {targets[place] for place in chosen}
    candidates = {number: keys.names[number] for number in sorted(shown)}
    _write_pictures(site, name, systems, _Chosen(ids, chosen, ranked.rounds), candidates)
    _write_dialogues(site, name, dialogues, targets, keys)
    corpus = site.config.dialogues[name].corpus
    return {
        "name": name,
        "dialogues": len(ids),
        "candidates": len(read_corpus(Path(site.config.corpus_list(corpus, site.layout)))),
        "rounds": ranked.rounds,
        "pictured": chosen,
        "pair": list(pairs[0]),
        "systems": [_entry(site, name, system, ranked.seeds[system.name]) for system in systems],
    }


class _Chosen(NamedTuple):
    """All ids of a dialogue set, the places of the dialogues that get pictures, and the rounds."""

    ids: list[str]
    places: list[int]
    rounds: list[int]


@dataclass(frozen=True)
class _Ranked:
    """What is kept of a set's ranks: its rounds, seeds, the ranks of each first seed, all top lists."""

    rounds: list[int]
    seeds: dict[str, list[int]]
    first: dict[str, np.ndarray]
    tops: list[np.ndarray]

    def seen(self, places: list[int]) -> set[int]:
        """Return the numbers of the candidates that any top list of some dialogues holds."""
        numbers = [np.unique(top_DRT[places]) for top_DRT in self.tops]
        return set(np.concatenate(numbers).tolist()) - {-1}


def _write_ranks(site: Site, name: str, systems: list[Shown], ids: list[str], keys: Keys) -> _Ranked:
    rounds: dict[str, list[int]] = {}
    found = _Ranked([], {}, {}, [])
    for system in systems:
        path = Path(site.layout.ranks(system.name, name))
        rounds[system.name], rankings = read_rankings(path, ids, keys)
        for ranking in rankings:
            write_data(site.folder, f"{name}/ranks/{system.name}.seed-{ranking.seed}", packed(ranking))
            found.tops.append(ranking.top_DRT)
        found.first[system.name] = rankings[0].rank_DR
        found.seeds[system.name] = [ranking.seed for ranking in rankings]
    return replace(found, rounds=_same_rounds(rounds, name))


def packed(ranking: Ranking) -> dict[str, Any]:
    """Return a ranking as the page reads it: flat arrays, by dialogue, round and place of the top list.

    Keys of top lists count from 1; 0 is no candidate.
    """
    return {
        "rank": pack_counts(ranking.rank_DR),
        "ties": pack_counts(ranking.ties_DR),
        "target": pack_values(ranking.target_score_DR),
        "top": pack_counts(ranking.top_DRT + 1),
        "score": pack_values(ranking.score_DRT),
        "places": ranking.top_DRT.shape[-1],
        "gate": pack_values(ranking.gate_DR) if np.isfinite(ranking.gate_DR).any() else None,
        "similarity": (
            pack_values(ranking.similarity_DR) if np.isfinite(ranking.similarity_DR).any() else None
        ),
    }


def _same_rounds(rounds: dict[str, list[int]], name: str) -> list[int]:
    first, *others = rounds
    for other in others:
        if rounds[other] != rounds[first]:
            raise DaitirError(
                f"ranks of {other} on {name} have {len(rounds[other])} rounds, those of {first}"
                f" {len(rounds[first])}: remove the older of the two and run again"
            )
    return rounds[first]


def _shards(site: Site, name: str) -> list[str]:
    return shard_names(site.config.dialogues[name].shards)


def _write_texts(site: Site, name: str, reformulator: str, ids: list[str], rounds: list[int]) -> None:
    shards = [Path(site.layout.queries(reformulator, name, shard)) for shard in _shards(site, name)]
    for number, chunk in enumerate(chunks_of_texts(shards, ids, rounds)):
        write_data(site.folder, f"{name}/queries/{reformulator}.{number}", pack_text(chunk))


def _write_pictures(
    site: Site,
    name: str,
    systems: list[Shown],
    chosen: _Chosen,
    candidates: dict[int, str],
) -> None:
    """Write the thumbnails of the chosen dialogues, and which file shows what."""
    images = site.config.corpora[site.config.dialogues[name].corpus].images
    names = site.album.add_candidates(images, candidates.values())
    drawn = {}
    for one in {system.pictures: system for system in systems if system.images}.values():
        made_of = (str(one.images), str(one.queries), name)
        shards = {shard: Path(site.layout.images(*made_of, shard)) for shard in _shards(site, name)}
        drawn[one.pictures] = site.album.add_drawn(shards, *chosen, one.drawn)
    value = {"candidates": {number: names[key] for number, key in candidates.items()}, "drawn": drawn}
    write_data(site.folder, f"{name}/pictures", pack_text(value))


def _write_dialogues(
    site: Site, name: str, dialogues: list[Dialogue], targets: list[int], keys: Keys
) -> None:
    value = {
        "ids": [dialogue.dialogue_id for dialogue in dialogues],
        "turns": [list(dialogue.turns) for dialogue in dialogues],
        "targets": targets,
        "keys": keys.names,
    }
    write_data(site.folder, f"{name}/dialogues", pack_text(value))


def _entry(site: Site, name: str, system: Shown, seeds: list[int]) -> dict[str, Any]:
    record = ranks_provenance(Path(site.layout.ranks(system.name, name)))
    return {
        "name": system.name,
        "colour": COLOURS[system.place % len(COLOURS)],
        "baseline": system.baseline,
        "queries": system.queries,
        "pictures": system.pictures,
        "drawn": system.drawn,
        "looksAt": record["options"].get("fusion", {}).get("images"),
        "seeds": seeds,
    }
