"""Encoding of images against the bare model: ``python -m bench.encoding``.

The encode stage from a folder, and from a shard, to a feature store, with its reading, decoding and digests;
the other side runs the model on the same batches, which lie in memory as it takes them. Both have the model
loaded and compute on one thread; the stage decodes beside it, as it does in a run. Both begin without memory
to compute in, as a job does. Once with BLIP's true architecture (ViT-B/16 at 224 pixels, random weights) and
JPEGs of 640 x 480, once with mini's, to which a picture of 48 pixels is a millisecond.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from bench.common import ROOT, WORLD, Row, in_turn, let_go_of_memory, make_world, parser_of, tell
from PIL import Image
from transformers import BlipConfig, BlipForImageTextRetrieval

from daitir.compute import batches
from daitir.corpora import write_corpus
from daitir.encoders import Encoder, load_encoder
from daitir.shards import Picture, write_shard
from daitir.stages.encode import EncodeOptions, Making, encode_corpus, encode_pictures

BLIP = ROOT / "resources/models/mini-blip"
RECORD = {"stage": "bench", "options": {}, "inputs": {}, "versions": {}}


@dataclass(frozen=True)
class Loaded(Making):
    """Who encodes, with a model that is loaded already."""

    model_in_memory: Encoder | None = None

    def encoder(self) -> Encoder:
        """Return it."""
        assert self.model_in_memory is not None
        return self.model_in_memory


@dataclass(frozen=True)
class Case:
    """An encoder and pictures for it."""

    encoder: dict[str, Any]
    images: Path
    names: list[str]
    kind: str
    repeats: int


def mini_case(limit: int | None) -> Case:
    """Return mini's own encoder and corpus."""
    make_world()
    encoder = yaml.safe_load((ROOT / "config.yaml").read_text())["encoders"]["blip"]
    return Case(encoder, WORLD / "images", json.loads((WORLD / "corpus.json").read_text())[:limit], "png", 9)


def base_case(folder: Path, count: int) -> Case:
    """Return BLIP of the size that the papers use, with random weights, and JPEGs of a camera's size."""
    torch.manual_seed(0)
    shutil.copytree(BLIP, folder / "blip-base", ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    BlipForImageTextRetrieval(BlipConfig()).save_pretrained(folder / "blip-base")
    (folder / "images").mkdir()
    names = [f"{number:04d}.jpg" for number in range(count)]
    random = np.random.default_rng(0)
    for name in names:
        rough = Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        rough.resize((640, 480), Image.Resampling.BICUBIC).save(folder / "images" / name, quality=90)
    encoder = {"kind": "blip", "model": str(folder / "blip-base"), "image_size": 224, "batch_size": 16}
    return Case(encoder | {"device": "cpu"}, folder / "images", names, "jpg", 3)


def make_shard(case: Case, folder: Path) -> Path:
    """Write pictures as the generate stage does, none of them twice."""
    different = {(case.images / name).read_bytes(): Path(name).stem for name in case.names}
    pictures = [Picture(f"{key}_r0_k1", data, case.kind, {}) for data, key in different.items()]
    write_shard(folder / "shard.tar", pictures, RECORD)
    return folder / "shard.tar"


def measure(case: Case, folder: Path) -> Iterator[Row]:
    """Yield the rows of an encoder."""
    write_corpus(folder / "names.json", case.names)
    shard, output = make_shard(case, folder), folder / "features.h5"
    options = EncodeOptions.model_validate({"code": "", "encoder": case.encoder})
    model: Any = load_encoder(options.encoder)
    making = Loaded(options, RECORD, None, model)
    rows = [
        torch.from_numpy(model.read_pixels((case.images / name).read_bytes(), name)) for name in case.names
    ]
    in_memory = [torch.stack(batch) for batch in batches(rows, options.encoder.batch_size)]

    @torch.inference_mode()
    def forward() -> None:
        for pixels_BCHW in in_memory:
            model.image_features(pixels_BCHW)

    works = {
        "folder": lambda: encode_corpus(making, folder / "names.json", case.images, output),
        "shard": lambda: encode_pictures(making, shard, output, [], []),
    }
    for what, work in works.items():
        ours, bare = in_turn(work, forward, repeats=case.repeats, before=let_go_of_memory)
        figures = (
            f"{ours:.2f} s and {bare:.2f} s; {len(case.names):,} images, {Path(options.encoder.model).name}"
        )
        yield Row(f"encode a {what}", "the model alone", ours / bare, "at most 1.1", figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("--images", type=int, default=32, help="for the true architecture")
    call = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tell(measure(base_case(folder, call.images), folder), call.json)
        tell(measure(mini_case(None), folder), call.json)


if __name__ == "__main__":
    main()
