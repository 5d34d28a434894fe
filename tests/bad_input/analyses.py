"""After the ranks: analyses of files that do not fit together, and runs of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from daitir.analyses.options import Analysis
from daitir.dialogues import read_dialogues, write_dialogues
from daitir.features import read_features, write_features
from daitir.queries import read_queries, write_queries
from daitir.ranks import read_ranks, write_ranks
from daitir.seals import write_sealed
from tests.analysed import SET, analysis_call, drawing_call, write_analysed
from tests.bad_input.calls import Call, Place, call, case, cases

Files = dict[str, Any]


def analyse(place: Place, analysis: Analysis, spoil: Callable[[Files], Any]) -> Call:
    """Spoil the files of dar, and analyse."""
    sources = write_analysed(place.folder)
    spoil(sources["dar"])
    return Call(tuple(analysis_call(analysis, sources, str(place.folder / "out.csv"))))


def lose_dialogue(files: Files) -> None:
    """Take a dialogue out of the dialogue set."""
    write_dialogues(files["dialogues"], read_dialogues(files["dialogues"])[1:], {})


def lose_query(files: Files) -> None:
    """Take a query text out of a shard."""
    write_queries(files["texts"][0], read_queries(files["texts"][0])[1:], {})


def lose_ranks(files: Files) -> None:
    """Take a dialogue out of the ranks."""
    path = Path(files["ranks"])
    write_ranks(path, read_ranks(path).iloc[2:], {})


def lose_flags(files: Files) -> None:
    """Forget which texts were cut."""
    store = read_features(files["queries"])
    write_features(files["queries"], store.keys, store.matrix, store.provenance)


def lose_feature(files: Files) -> None:
    """Take a query out of a feature store."""
    store = read_features(files["queries"])
    cut = np.zeros(len(store.keys) - 1, dtype=bool)
    write_features(files["queries"], store.keys[1:], store.matrix[1:], store.provenance, cut)


def break_benchmark(files: Files) -> None:
    """Leave a benchmark file without numbers."""
    files["seconds"]["rank"][0].write_text("s\n")


@cases(
    "analyse",
    {
        "a dialogue set that lacks a dialogue": ("repetition", lose_dialogue),
        "query texts that lack one": ("gains", lose_query),
        "ranks of other dialogues than the baseline's": ("changes", lose_ranks),
        "features that do not say which texts were cut": ("queries", lose_flags),
        "features that lack a query": ("queries", lose_feature),
        "a benchmark file without seconds": ("cost", break_benchmark),
    },
)
def spoiled(place: Place, given: Any) -> Call:
    """Files of one system that do not fit."""
    return analyse(place, *given)


@case("draw_analyses", "an analysis that is not there")
def nothing_analysed(place: Place) -> Call:
    """A results folder without analyses."""
    return Call(tuple(drawing_call(str(place.folder))))


@case("draw_analyses", "an analysis that is cut short")
def half_analysed(place: Place) -> Call:
    """A table without the end of its last line."""
    table = place.folder / f"analyses/queries/{SET}.csv"
    write_sealed(table, "dialogues,system,round\nfew,dar,0\n")
    table.write_text("dialogues,system,round\nfew,dar")
    return Call(tuple(drawing_call(str(place.folder))))


def write_runs(place: Place, systems: list[str], spoil: Callable[[Path], None]) -> Call:
    """Spoil the ranks of dar, and write the runs of some systems."""
    sources = write_analysed(place.folder)
    spoil(Path(str(sources["dar"]["ranks"])))
    options = {"code": "x", "systems": {SET: systems}}
    return call(options=options, results=place.folder / "results")


@case("write_runs", "ranks of other dialogues")
def fewer_dialogues(place: Place) -> Call:
    """Ranks that lack a dialogue."""
    return write_runs(place, ["dar", "text"], lambda path: write_ranks(path, read_ranks(path).iloc[2:], {}))


@case("write_runs", "a candidate called as unknown ones are")
def strange_name(place: Place) -> Call:
    """A target whose name begins with a question mark."""
    return write_runs(
        place, ["dar"], lambda path: write_ranks(path, read_ranks(path).assign(target="?1"), {})
    )
