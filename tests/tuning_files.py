"""A small world to tune encoders on: every target has a colour, and its dialogue names it."""

import io
import json
import random
from pathlib import Path

from PIL import Image

from daitir.dialogues import Dialogue, write_dialogues
from daitir.queries import Query, picture_key, write_queries
from daitir.shards import Picture, write_shard

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 200, 30)}
PLACES = ("left", "right")


def drawn(words: tuple[str, ...], noise: random.Random) -> bytes:
    """A picture of 24 px with a bar of the colour at the place, and noise over it."""
    colour, place = words
    image = Image.frombytes("RGB", (24, 24), noise.randbytes(24 * 24 * 3)).point(lambda value: value // 4)
    image.paste(COLOURS[colour], (0 if place == "left" else 12, 0, 12 if place == "left" else 24, 24))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def write_files(folder: Path, dialogues: int = 24, reformulator: str = "join") -> None:
    """Write dialogues of two rounds, their queries in two shards, two images a round, and the corpus."""
    rng = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    told, queries, pictures = [], [], []
    for number in range(dialogues):
        words = rng.choice(list(COLOURS)), rng.choice(PLACES)
        name = f"d{number:02}"
        (folder / "images" / f"{name}.png").write_bytes(drawn(words, rng))
        turns = (f"a {words[0]} star", f"what is it? on the {words[1]}")
        told.append(Dialogue(name, f"{name}.png", turns))
        for round_, text in enumerate((turns[0], f"a {words[0]} star on the {words[1]}")):
            queries.append(Query(name, round_, text, ("p", "q")))
            for k in (1, 2):
                key = picture_key(name, round_, k)
                pictures.append(Picture(key, drawn(words, rng), "png", {"prompt": text, "seed": number}))
    record = {"options": {"reformulator": {"kind": reformulator}}}
    write_dialogues(folder / "dialogues.parquet", told, {"stage": "test"})
    for shard in (0, 1):
        write_queries(folder / f"queries-{shard}.parquet", queries[shard::2], record)
        write_shard(folder / f"pictures-{shard}.tar", pictures[shard::2], record)
    (folder / "corpus.json").write_text(json.dumps(sorted(dialogue.target for dialogue in told)))
