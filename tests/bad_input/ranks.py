"""From features to the report: training, ranking, measuring."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from daitir.features import read_features, write_features
from daitir.fusions.options import AdafuseOptions, TrainOptions
from daitir.fusions.trained import build_network
from daitir.layout import Layout
from daitir.provenance import provenance
from daitir.ranks import ranks_provenance, read_ranks, write_ranks
from daitir.samples import Sources
from daitir.seals import write_sealed
from daitir.shards import read_shard, shard_provenance, write_shard
from daitir.stages import measure
from daitir.weights import write_weights
from tests.bad_input.calls import Call, Place, call, case, cases
from tests.damaged_files import sum_up
from tests.sample_files import ENCODER, World, write_world
from tests.synthetic import SET, make_results
from tests.test_measure import measure_options
from tests.test_samples import other, rewrite

WORLD = World(dialogues=8, rounds=2, images=2, width=8, candidates=12)
ADAFUSE = AdafuseOptions(projection=8, hidden=64, experts=2, train=TrainOptions(dialogues="d"))
TRAINED = ADAFUSE.only("bytes")


def use(place: Place, sources: Sources, fusion: dict[str, Any], **paths: Any) -> Call:
    """Call the stage that ranks, or with ``seed`` the one that trains."""
    files = {"dialogues": sources.dialogues, "queries": sources.queries, "corpus": sources.corpus}
    files |= {"pictures": list(sources.pictures)} if sources.pictures else {}
    return call(options={"code": "1", "fusion": fusion}, **files, output=place.folder / "out", **paths)


def set_row(path: Path, row: int, value: float) -> None:
    """Change a row of a feature store behind its back."""
    with h5py.File(path, "r+") as store:
        store["features"][row] = value
    sum_up(path)


def cut(path: Path) -> None:
    """Leave half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_provenance(path: Path) -> None:
    """Make a store look like one of another program."""
    with h5py.File(path, "r+") as store:
        del store.attrs["provenance"]
    sum_up(path)


Change = Callable[[Sources], None]
CHANGES: dict[str, Change] = {
    "features that are not there": lambda s: s.queries.unlink(),
    "a feature store that is cut short": lambda s: cut(s.corpus),
    "a feature store of another program": lambda s: without_provenance(s.corpus),
    "features that are not finite": lambda s: set_row(s.queries, 3, float("nan")),
    "features that are not of unit length": lambda s: set_row(s.pictures[0], 0, 0.0),
    "features of another width": lambda s: rewrite(s.queries, width=4),
    "features of another encoder": lambda s: rewrite(s.queries, record=other(model="n")),
    "a dialogue without features": lambda s: rewrite(s.queries, lambda keys: keys[2:]),
    "an image without features": lambda s: rewrite(s.pictures[0], lambda keys: keys[3:]),
    "features of a query that nobody asked": lambda s: rewrite(s.queries, lambda keys: [*keys, "d9_r0"]),
    "features of an image that nobody drew": lambda s: rewrite(
        s.pictures[0], lambda keys: [*keys[1:], "d9_r0_k1"]
    ),
    "a target that is not encoded": lambda s: rewrite(s.corpus, lambda keys: keys[1:]),
}


@cases("rank", CHANGES)
def wrong_features(place: Place, change: Change) -> Call:
    """Dialogues and features, one of them changed."""
    sources = write_world(place.folder, WORLD)
    change(sources)
    return use(place, sources, {"kind": "dar"})


@case("rank", "fewer images than the fusion looks at")
def few_images(place: Place) -> Call:
    """Two for three."""
    return use(place, write_world(place.folder, WORLD), {"kind": "dar", "images": 3})


def weights_of(place: Place, encoder: Any = ENCODER, change: Any = None) -> Path:
    """Write the weights of a fusion, changed by ``change``."""
    torch.manual_seed(0)
    weights = dict(build_network(ADAFUSE, WORLD.width).state_dict())
    if change:
        change(weights)
    path = place.folder / "model.safetensors"
    write_weights(path, weights, provenance("train", {"fusion": TRAINED, "seed": 0}) | {"encoder": encoder})
    return path


def spoil(value: float) -> Callable[[dict[str, torch.Tensor]], None]:
    """Return what sets all weights to one value."""

    def change(weights: dict[str, torch.Tensor]) -> None:
        for name in weights:
            weights[name] = torch.full_like(weights[name], value)

    return change


@cases(
    "rank",
    {
        "weights that do not fill the fusion": {"change": lambda weights: weights.popitem()},
        "weights that are not finite": {"change": spoil(float("nan"))},
        "a fusion whose queries are no numbers": {"change": spoil(1e30)},
        "weights trained with another encoder": {"encoder": {**ENCODER, "digests": {"model": "another"}}},
    },
)
def wrong_weights(place: Place, given: dict[str, Any]) -> Call:
    """Weights of a trained fusion."""
    return use(place, write_world(place.folder, WORLD), TRAINED, weights=weights_of(place, **given))


@case("rank", "weights that are cut short")
def weights_cut_short(place: Place) -> Call:
    """Half a file."""
    path = weights_of(place)
    cut(path)
    return use(place, write_world(place.folder, WORLD), TRAINED, weights=path)


def train(place: Place, sources: Sources, **recipe: Any) -> Call:
    """Train a fusion for one epoch."""
    fusion = json.loads(json.dumps(TRAINED))
    fusion["train"] |= {"epochs": 1, "warmup_epochs": 0} | recipe
    paths = {"scratch": place.folder / "scratch", "history": place.folder / "history.parquet"}
    return use(place, sources, fusion, seed=0, **paths)


@case("train", "no pictures")
def no_pictures(place: Place) -> Call:
    """A fusion of texts alone."""
    return train(place, replace(write_world(place.folder, WORLD), pictures=()))


@case("train", "too few dialogues to train on")
def few_dialogues(place: Place) -> Call:
    """All of them held out but one."""
    return train(place, write_world(place.folder, replace(WORLD, dialogues=1)))


@case("train", "features of two encoders")
def two_encoders(place: Place) -> Call:
    """A second shard of pictures from another model."""
    sources = write_world(place.folder, WORLD)
    second = place.folder / "p1.h5"
    pictures = read_features(*sources.pictures)
    write_features(second, pictures.keys[:1], pictures.matrix[:1], other(model="n"))
    return train(place, replace(sources, pictures=(*sources.pictures, second)))


def results(place: Place) -> tuple[dict[str, Any], Layout]:
    """Write a small results folder; return its config and where its files are."""
    return make_results(place.folder), Layout(str(place.folder / "results"))


def change_ranks(layout: Layout, system: str, keep: Any) -> None:
    """Leave those rows of a system's ranks that ``keep`` chooses."""
    path = Path(layout.ranks(system, SET))
    frame = read_ranks(path)
    write_ranks(path, frame[keep(frame)], ranks_provenance(path))


@cases(
    "measure",
    {
        "ranks that are not there": None,
        "ranks without a row": lambda frame: np.zeros(len(frame), bool),
        "ranks of another dialogue set": lambda frame: frame["dialogue_id"] != "dialogue-03",
        "ranks without a round of a dialogue": lambda frame: np.arange(len(frame)) > 0,
    },
)
def wrong_ranks(place: Place, keep: Any) -> Call:
    """Ranks of one system changed."""
    config, layout = results(place)
    if keep is None:
        Path(layout.ranks("dar", SET)).unlink()
    else:
        change_ranks(layout, "dar", keep)
    return call(options=measure_options(config), results=place.folder / "results")


def report(place: Place, spoiled: Callable[[dict[str, Any], Layout], None]) -> Call:
    """Measure, spoil something, and write the page."""
    config, layout = results(place)
    measure.run(measure.MeasureOptions.parse(measure_options(config), "test"), place.folder / "results")
    spoiled(config, layout)
    options = {"code": "1", "config": config, "order": list(config["systems"])}
    return call(options=options, results=place.folder / "results", output=place.folder / "report.html")


def lose_pictures(_: dict[str, Any], layout: Layout) -> None:
    """Take the second picture of all queries out of all shards, the first out of some."""
    for path in Path(layout.images("sd3", "llm", SET, "0-of-2")).parent.glob("*.tar"):
        kept = [picture for picture in read_shard(path) if "_r1_" in picture.key]
        write_shard(path, kept, shard_provenance(path))


def cut_lines(path: Path, lines: int) -> None:
    """Leave the first lines of a text."""
    write_sealed(path, "".join(path.read_text().splitlines(keepends=True)[:lines]))


def cut_features(_: dict[str, Any], layout: Layout) -> None:
    """Leave half of the query features, of which the report counts the texts that were cut."""
    cut(Path(layout.query_features("blip", "llm", SET)))


def lose_images(config: dict[str, Any], _: Layout) -> None:
    """Empty the corpus."""
    for path in Path(config["corpora"]["tiny"]["images"]).rglob("*.png"):
        path.unlink()


@cases(
    "report",
    {
        "a table that is not there": lambda _, layout: Path(layout.table("by_round")).unlink(),
        "a table that is cut short": lambda _, layout: cut(Path(layout.table("by_round"))),
        "a table that lacks a row": lambda _, layout: cut_lines(Path(layout.table("by_round")), 9),
        "a table of another program": lambda _, layout: write_sealed(Path(layout.table("gates")), "\n"),
        "a figure that is cut short": lambda _, layout: cut(Path(layout.figure(f"hits-{SET}"))),
        "a feature store that is cut short": cut_features,
        "a corpus image that is gone": lose_images,
        "a shard without the pictures of a query": lose_pictures,
    },
)
def spoiled_results(place: Place, spoiled: Any) -> Call:
    """Results of which something is lost before the report."""
    return report(place, spoiled)
