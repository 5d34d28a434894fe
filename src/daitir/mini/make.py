"""Make the data of the default configuration: pictures and dialogues, in the form of the ChatIR benchmarks.

    python -m daitir.mini.make --output resources/mini

writes a corpus for evaluation (``images/``, ``corpus.json``, three dialogue files on the same targets) and
one for training (``train-images/``, ``train-corpus.json``, and two dialogue files: ``train.json`` on 600 of
its pictures, ``train-all.json`` on all 1,500). One seed gives the same bytes again.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from daitir.files import write_text
from daitir.mini.talk import hold_dialogue
from daitir.mini.world import Scene, draw_album, render

ALBUM_SIZES = range(15, 21)


@dataclass(frozen=True)
class Collection:
    """A corpus of pictures and the dialogue files about some of them; ``whole`` is about all of them.

    A dialogue hangs on its picture and style alone: one that is in two files of a style is the same in both.
    """

    split: str
    images: str
    corpus: str
    size: int
    dialogues: int
    styles: dict[str, str]  # dialogue file: style
    whole: dict[str, str] = field(default_factory=dict)


EVALUATION = Collection(
    "val",
    "images",
    "corpus.json",
    3000,
    200,
    {"val.json": "human", "val-llm.json": "llm", "val-repetitive.json": "repetitive"},
)
TRAINING = Collection(
    "train",
    "train-images",
    "train-corpus.json",
    1500,
    600,
    {"train.json": "human"},
    {"train-all.json": "human"},
)


def make(output: Path, collections: tuple[Collection, ...] = (EVALUATION, TRAINING), seed: int = 0) -> None:
    """Write the collections; files that exist are finished."""
    for collection in collections:
        scenes = draw_corpus(collection, random.Random(f"corpus/{collection.split}/{seed}"))
        write_images(output / collection.images, scenes, seed)
        write_text(output / collection.corpus, to_json([f"{name}.png" for name in scenes]))
        targets = random.Random(f"targets/{collection.split}/{seed}").sample(
            sorted(scenes), collection.dialogues
        )
        for files, about in ((collection.styles, targets), (collection.whole, sorted(scenes))):
            for file, style in files.items():
                rows = [dialogue(name, scenes[name], style, seed) for name in about]
                write_text(output / file, to_json(rows))


def draw_corpus(collection: Collection, rng: random.Random) -> dict[str, Scene]:
    """Different scenes by name, in albums of pictures that resemble each other."""
    scenes: dict[str, Scene] = {}
    album = 0
    while len(scenes) < collection.size:
        album += 1
        for scene in draw_album(rng, collection.split, rng.choice(ALBUM_SIZES)):
            scenes.setdefault(scene.name, scene)
    chosen = list(scenes.values())[: collection.size]
    return {f"{collection.split}-{i:04d}": scene for i, scene in enumerate(chosen)}


def dialogue(name: str, scene: Scene, style: str, seed: int) -> dict[str, object]:
    """One dialogue in the form of the ChatIR files."""
    turns = hold_dialogue(scene, random.Random(f"talk/{style}/{name}/{seed}"), style)
    return {"img": f"{name}.png", "dialog": [turn.text for turn in turns]}


def write_images(folder: Path, scenes: dict[str, Scene], seed: int) -> None:
    """The pictures as PNG files; the folder appears when all of them are there."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, scene in scenes.items():
        render(scene, seed).save(partial / f"{name}.png")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def to_json(rows: list[object] | list[str] | list[dict[str, object]]) -> str:
    """JSON with one row a line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def main() -> None:
    """Make everything below one folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the data")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make(arguments.output, seed=arguments.seed)


if __name__ == "__main__":
    main()
