"""Encoding of images against the bare model: ``python -m bench.encoding``.

The encode stage from a folder, and from a shard, to a feature store, with its reading, decoding, digests and
loading of the model; the other side runs the model on the same batches, which lie in memory as it takes
them. Both compute on one thread; the stage decodes beside it, as it does in a run.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import yaml
from bench.common import WORLD, Row, in_turn, make_world, parser_of, tell

from daitir.corpora import write_corpus
from daitir.images import decode_image
from daitir.shards import Picture, write_shard
from daitir.stages.encode import EncodeOptions, Making, encode_corpus, encode_pictures

IMAGES, NAMES = WORLD / "images", WORLD / "corpus.json"
RECORD = {"stage": "bench", "options": {}, "inputs": {}, "versions": {}}


def make_shard(names: list[str], folder: Path) -> Path:
    """Write pictures as the generate stage does, none of them twice."""
    different = {(IMAGES / name).read_bytes(): Path(name).stem for name in names}
    pictures = [Picture(f"{key}_r0_k1", data, "png", {}) for data, key in different.items()]
    write_shard(folder / "shard.tar", pictures, RECORD)
    return folder / "shard.tar"


def measure(config: Path, name: str, limit: int | None, folder: Path) -> Iterator[Row]:
    """Yield the rows of an encoder of a config."""
    make_world()
    names = json.loads(NAMES.read_text())[:limit]
    write_corpus(folder / "names.json", names)
    shard = make_shard(names, folder)
    encoder = yaml.safe_load(config.read_text())["encoders"][name]
    making = Making(EncodeOptions.model_validate({"code": "", "encoder": encoder}), RECORD, None)
    options, output = making.options.encoder, folder / "features.h5"
    model = making.encoder()
    rows = [torch.from_numpy(model.pixels(decode_image((IMAGES / one).read_bytes(), one))) for one in names]
    batches = [
        torch.stack(rows[start : start + options.batch_size])
        for start in range(0, len(rows), options.batch_size)
    ]

    @torch.inference_mode()
    def forward() -> None:
        for pixels_BCHW in batches:
            model.image_features(pixels_BCHW)

    works = {
        "folder": lambda: encode_corpus(making, folder / "names.json", IMAGES, output),
        "shard": lambda: encode_pictures(making, shard, output, [], []),
    }
    for what, work in works.items():
        ours, bare = in_turn(work, forward, repeats=3)
        figures = f"{ours:.2f} s and {bare:.2f} s; {len(names):,} images, {options.model}"
        yield Row(f"encode a {what}", "the model alone", ours / bare, "at most 1.1", figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--encoder", default="blip", help="a name of the config")
    parser.add_argument("--limit", type=int, help="that many images only")
    call = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tell(measure(call.config, call.encoder, call.limit, Path(folder)), call.json)


if __name__ == "__main__":
    main()
