"""Small files for the tests of what comes after the encoders: features of a world without pictures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daitir.dialogues import Dialogue, write_dialogues
from daitir.features import write_features
from daitir.provenance import provenance
from daitir.queries import picture_key, query_key
from daitir.samples import Sources

ENCODER = {"code": "revision-1", "digests": {}, "encoder": {"kind": "blip", "model": "m", "dtype": "float32"}}


@dataclass(frozen=True)
class World:
    """How large the files are and how much of the target text and image show."""

    dialogues: int = 60
    rounds: int = 2
    images: int = 2
    width: int = 16
    candidates: int = 80
    noise: float = 0.5
    seed: int = 0


def unit(matrix):
    """Return the rows at unit length, in float32."""
    return (matrix / np.linalg.norm(matrix, axis=-1, keepdims=True)).astype(np.float32)


def write_world(folder: Path, world: World = World(), encoder=None) -> Sources:
    """Write dialogues and features: the text shows one half of its target's feature, the images the other."""
    rng = np.random.default_rng(world.seed)
    corpus = unit(rng.normal(size=(world.candidates, world.width)))
    half = np.arange(world.width) < world.width // 2
    found = [
        Dialogue(f"d{n:04}", f"{n:04}.png", ("a caption",) * world.rounds) for n in range(world.dialogues)
    ]
    asked = [(n, d.dialogue_id, r) for n, d in enumerate(found) for r in range(world.rounds)]
    shape = (len(asked), world.width)
    target = corpus[[n for n, _, _ in asked]]
    noise = world.noise / np.sqrt(world.width)
    text = unit(target * half + noise * rng.normal(size=shape))
    images = [unit(target * ~half + noise * rng.normal(size=shape)) for _ in range(world.images)]
    sources = Sources(folder / "d.parquet", folder / "q.h5", (folder / "p.h5",), folder / "c.h5")
    record = provenance("encode", encoder or ENCODER)
    write_dialogues(sources.dialogues, found, provenance("import_dialogues", {}))
    text_record = {**ENCODER, "encoder": {**ENCODER["encoder"], "max_tokens": 256}}
    write_features(
        sources.queries, [query_key(i, r) for _, i, r in asked], text, provenance("encode", text_record)
    )
    keys = [picture_key(i, r, k) for k in range(1, world.images + 1) for _, i, r in asked]
    write_features(sources.pictures[0], keys, np.concatenate(images), record)
    write_features(sources.corpus, [f"{n:04}.png" for n in range(world.candidates)], corpus, record)
    return sources
