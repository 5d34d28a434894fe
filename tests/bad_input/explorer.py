"""The explorer: results of which something is lost, and a folder that is not its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from daitir.layout import Layout
from daitir.queries import read_queries, write_queries
from daitir.ranks import ranks_provenance, read_ranks, write_ranks
from daitir.tables import table_provenance
from tests.bad_input.calls import Call, Place, call, case, cases
from tests.bad_input.ranks import lose_images, lose_pictures
from tests.explorer_files import explore_options
from tests.synthetic import SET, make_results

Spoil = Callable[[dict[str, Any], Layout], None]


def explore(place: Place, spoil: Spoil) -> Call:
    """Spoil something, and write the explorer."""
    config = make_results(place.folder) | {"generators": {"sd3": {"images": 2}}}
    spoil(config, Layout(str(place.folder / "results")))
    options = explore_options(config).model_dump(mode="json")
    return call(options=options, results=place.folder / "results", output=place.folder / "explorer")


def lose_rows(_: dict[str, Any], layout: Layout) -> None:
    """Take a dialogue out of a ranks table."""
    path = Path(layout.ranks("dar", SET))
    write_ranks(path, read_ranks(path).iloc[3:], ranks_provenance(path))


def lose_round(_: dict[str, Any], layout: Layout) -> None:
    """Take the last round of all dialogues out of a ranks table."""
    path, table = Path(layout.ranks("dar", SET)), read_ranks(Path(layout.ranks("dar", SET)))
    write_ranks(path, table[table["round"] < 2], ranks_provenance(path))


def lose_queries(_: dict[str, Any], layout: Layout) -> None:
    """Take the last query out of a shard."""
    path = Path(layout.queries("llm", SET, "0-of-2"))
    write_queries(path, read_queries(path)[:-1], table_provenance(path))


@cases(
    "explore",
    {
        "ranks that lack a dialogue": lose_rows,
        "ranks of fewer rounds": lose_round,
        "a shard that lacks a query": lose_queries,
        "a shard that lacks images": lose_pictures,
        "a corpus image that is gone": lose_images,
    },
)
def spoiled_results(place: Place, spoil: Any) -> Call:
    """Results of which something is lost before the explorer."""
    return explore(place, spoil)


@case("explore", "a folder of something else")
def other_folder(place: Place) -> Call:
    """A folder of somebody's own where the explorer should be."""
    place.write("explorer/thesis.txt", "years of work")
    return explore(place, lambda config, layout: None)
