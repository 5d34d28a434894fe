"""Measure how an encoder takes hallucinated cues: is a wrong picture farther from the target than a true one.

    python -m daitir.mini.hallucinations --dialogues D.parquet --shards I.tar ... --images FOLDER
        --encoder blip QUERIES.h5 CORPUS.h5 PICTURES.h5 ... --encoder tuned ...

The world's own reader says how much of what a generated picture shows is true of its target. Of the pictures
of a round, the truer half is called faithful, the other hallucinated. One row an encoder and round:
agreement of text and image, cosine of either half with the target, and how far it follows the truth
(Spearman). Encoders are rows side by side: the one before tuning, and the one after.

Shape suffixes: S samples, M samples of all rounds, K images, D feature.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from daitir.dialogues import read_dialogues
from daitir.files import inside
from daitir.images import decode_image
from daitir.mini.language import all_of
from daitir.mini.reading import read_scene
from daitir.queries import picture_key
from daitir.samples import Samples, Sources, read_samples
from daitir.shards import ShardPictures

Truth = dict[tuple[str, int], float]


@dataclass(frozen=True)
class Cosines:
    """Of one round under one encoder: truth of each picture, its cosines with the target and the text (S)."""

    truth_S: np.ndarray
    image_target_S: np.ndarray
    text_image_S: np.ndarray


def share_true(picture: Image.Image, target: Image.Image) -> float:
    """Return the share of what a picture shows that holds in its target; 1 where it shows nothing."""
    shown, true = (all_of(read_scene(image)).facts for image in (picture, target))
    return len(shown & true) / len(shown) if shown else 1.0


def read_truths(dialogues: Path, shards: Iterable[Path], folder: Path, rounds: Iterable[int]) -> Truth:
    """Return the truth of the first picture of some rounds, by dialogue and round."""
    pictures, truths = ShardPictures(list(shards)), {}
    asked = list(rounds)
    for dialogue in read_dialogues(dialogues):
        path = inside(folder, dialogue.target, str(dialogues))
        target = decode_image(path.read_bytes(), str(path))
        for round_ in asked:
            key = picture_key(dialogue.dialogue_id, round_, 1)
            if key in pictures:
                picture = decode_image(pictures.read(key), key)
                truths[dialogue.dialogue_id, round_] = share_true(picture, target)
    return truths


def cosines_of(samples: Samples, truths: Truth, round_: int) -> Cosines:
    """Return truth and cosines of the first pictures of a round, as far as their truth is known."""
    assert samples.images_MKD is not None
    keys = zip(samples.dialogue_ids, samples.round_M.tolist(), strict=True)
    rows = [row for row, key in enumerate(keys) if key[1] == round_ and key in truths]
    image_SD = samples.images_MKD[rows, 0]
    return Cosines(
        np.array([truths[samples.dialogue_ids[row], round_] for row in rows]),
        (image_SD * samples.corpus_ND[samples.target_M[rows]]).sum(axis=1),
        (image_SD * samples.text_MD[rows]).sum(axis=1),
    )


def summarise(found: Cosines) -> dict[str, float]:
    """Return one row of the table; the gap is what a faithful picture gains over a hallucinated one."""
    # Ties of the truth are split as they stand, so that both halves are of one size.
    order_S = np.argsort(-found.truth_S, kind="stable")
    faithful, hallucinated = np.array_split(order_S, 2)
    near, far = (float(found.image_target_S[half].mean()) for half in (faithful, hallucinated))
    ranked = pd.DataFrame({"truth": found.truth_S, "cosine": found.image_target_S}).rank()
    return {
        "pictures": len(order_S),
        "truth": float(found.truth_S.mean()),
        "agreement": float(found.text_image_S.mean()),
        "faithful": near,
        "hallucinated": far,
        "gap": near - far,
        "follows truth": float(ranked["truth"].corr(ranked["cosine"])),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dialogues", type=Path, required=True)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--images", type=Path, required=True, help="folder of the targets")
    parser.add_argument("--rounds", type=int, nargs="+", default=[0, 5, 10])
    parser.add_argument(
        "--encoder", nargs="+", action="append", required=True, metavar="NAME QUERIES CORPUS PICTURES"
    )
    arguments = parser.parse_args()
    truths = read_truths(arguments.dialogues, arguments.shards, arguments.images, arguments.rounds)
    rows = []
    for name, queries, corpus, *pictures in arguments.encoder:
        files = Sources(arguments.dialogues, Path(queries), tuple(map(Path, pictures)), Path(corpus))
        samples = read_samples(files)
        for round_ in arguments.rounds:
            rows.append({"encoder": name, "round": round_} | summarise(cosines_of(samples, truths, round_)))
    print(pd.DataFrame(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
