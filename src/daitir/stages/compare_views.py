"""Compare encoders, such as one before and after tuning, by how text, image and target lie under each.

    --encoder NAME QUERIES.h5 CORPUS.h5 PICTURES.h5 ...

is given once an encoder: the first is what the others came from. Where the corpus has a judge, its word on
how much of each image is true splits the images into faithful and hallucinated ones.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.corpora import read_candidate
from daitir.errors import DaitirError, exit_with_one_line
from daitir.images import decode_image
from daitir.options import Options
from daitir.progress import progress
from daitir.provenance import require_same
from daitir.queries import picture_key
from daitir.samples import Samples, Sources, read_samples
from daitir.seals import write_sealed
from daitir.shards import ShardPictures
from daitir.tuning.views import RoundViews, summarise
from daitir.tuning.views_figure import views_figure

Judge = Callable[[Image.Image, Image.Image], float]
Truth = dict[tuple[str, int], float]


class CompareViewsOptions(Options):
    """Rounds that are compared, the place of the image among its query's, and who knows what is true.

    ``judge`` is ``package.module:function``; called with a generated image and its target it returns the
    share of the first that is true of the second, 0 to 1.
    """

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    judge: str | None = None
    rounds: tuple[int, ...] = Field((0, 5, 10), min_length=1)
    k: int = Field(1, ge=1)


@dataclass(frozen=True)
class Compared:
    """What is compared: the encoders' stores by name, and the images that a judge looks at."""

    encoders: dict[str, Sources]
    shards: tuple[Path, ...]
    corpus: Path
    images: Path


def run(options: CompareViewsOptions, compared: Compared, output: Path, figure: Path) -> None:
    """Write a row an encoder and round, and the figure of the last of the rounds."""
    samples = {name: read_samples(sources) for name, sources in compared.encoders.items()}
    require_same_queries(samples)
    views = {
        (name, round_): views_of(one, round_, options.k)
        for name, one in samples.items()
        for round_ in options.rounds
    }
    if options.judge:
        truth = read_truth(options, compared, next(iter(samples.values())))
        views = {key: with_truth(found, key[1], truth) for key, found in views.items()}
    rows = [{"encoder": name, "round": round_} | summarise(found) for (name, round_), found in views.items()]
    table = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    last = options.rounds[-1]
    drawn = views_figure(f"views of round {last}", {name: views[name, last] for name in samples})
    write_sealed(output, table)
    write_sealed(figure, drawn)


def require_same_queries(samples: dict[str, Samples]) -> None:
    """Refuse encoders that are compared on other queries or candidates."""
    for role in ("dialogues", "candidates"):
        require_same(role, {f"encoder {name}": one.digests[role] for name, one in samples.items()})
    asked = {
        f"queries of encoder {name}": (one.dialogue_ids, one.round_M.tolist())
        for name, one in samples.items()
    }
    require_same("queries", asked)


def views_of(samples: Samples, round_: int, k: int) -> RoundViews:
    """Return the views of a round's queries, with the k-th of their images."""
    if samples.images_MKD is None or k > samples.images_MKD.shape[1]:
        raise DaitirError(f"the queries have no image {k}: give the features of generated images, or lower k")
    rows = np.flatnonzero(samples.round_M == round_)
    if not len(rows):
        raise DaitirError(f"there is no query of round {round_}: mend `rounds`")
    names = [samples.dialogue_ids[row] for row in rows]
    return RoundViews(
        names,
        samples.text_MD[rows],
        samples.images_MKD[rows, k - 1],
        samples.corpus.matrix[samples.target_M[rows]],
    )


def with_truth(views: RoundViews, round_: int, truth: Truth) -> RoundViews:
    """Return the views of a round with what is true of their images."""
    return replace(views, truth_S=np.array([truth[name, round_] for name in views.names]))


def read_truth(options: CompareViewsOptions, compared: Compared, samples: Samples) -> Truth:
    """Return what the judge says of the k-th image of each query of the rounds."""
    assert options.judge is not None
    judge, pictures = load_judge(options.judge), ShardPictures(compared.shards)
    rows = [row for row, round_ in enumerate(samples.round_M) if round_ in options.rounds]

    @cache
    def target_of(name: str) -> Image.Image:
        return decode_image(read_candidate(compared.images, name, compared.corpus), name)

    found: Truth = {}
    for row in progress(rows, "judge", len(rows), "images"):
        name, round_ = samples.dialogue_ids[row], int(samples.round_M[row])
        key = picture_key(name, round_, options.k)
        if key not in pictures:
            raise DaitirError(f"no shard holds picture {key}: give all image shards of the queries")
        picture = decode_image(pictures.read(key), f"picture {key}")
        share = judge(picture, target_of(samples.targets[row]))
        if not 0 <= share <= 1:
            raise DaitirError(f"judge {options.judge} says {share} of picture {key}, not 0 to 1: mend it")
        found[name, round_] = share
    return found


def load_judge(function: str) -> Judge:
    """Return ``package.module:function``."""
    module, _, name = function.partition(":")
    try:
        judge: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise DaitirError(f"judge {function} cannot be imported ({error}): mend `judge:`") from error
    return judge


def encoders_of(given: list[list[str]], dialogues: Path) -> dict[str, Sources]:
    """Return the stores of the encoders named on the command line."""
    found: dict[str, Sources] = {}
    for name, *paths in given:
        if name in found:
            raise DaitirError(f"encoder {name} is given twice: give each once")
        if len(paths) < 3:
            raise DaitirError(f"encoder {name} needs features of queries, corpus and images: give all three")
        queries, corpus, *pictures = map(Path, paths)
        found[name] = Sources(dialogues, queries, tuple(pictures), corpus)
    return found


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--dialogues", type=Path, required=True, help="dialogue set, Parquet")
    parser.add_argument(
        "--shards", type=Path, nargs="*", default=[], help="its generated images, tars; for a judge"
    )
    parser.add_argument("--list", type=Path, required=True, help="JSON list of the corpus's images")
    parser.add_argument("--images", type=Path, required=True, help="folder of the corpus's images")
    parser.add_argument(
        "--encoder", nargs="+", action="append", required=True, metavar="NAME QUERIES CORPUS PICTURES"
    )
    parser.add_argument("--output", type=Path, required=True, help="table, CSV")
    parser.add_argument("--figure", type=Path, required=True, help="SVG")
    call = parse_call(parser, CompareViewsOptions)
    paths = call.arguments
    encoders = encoders_of(paths.encoder, paths.dialogues)
    compared = Compared(encoders, tuple(paths.shards), paths.list, paths.images)
    run(call.options, compared, paths.output, paths.figure)


if __name__ == "__main__":
    exit_with_one_line(main)
