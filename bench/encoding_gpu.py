"""Encoding on a GPU: ``python -m bench.encoding_gpu``.

The encode stage from a folder of JPEGs (640 x 480, as COCO's) to a feature store, by the number of worker
processes, JPEGs unpacked whole or at a reduced scale; the other side runs the model on as many pixels, which
lie in the GPU's memory. BLIP's true architecture (ViT-B/16 at 224 pixels, random weights) in float16. Where
the ratio stays above 1.1, the decoding binds: the figures say how many images a second each way reads.
"""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench.common import Row, finished, in_turn, parser_of, tell
from bench.encoding import RECORD, Loaded, base_case

from daitir.compute import batches
from daitir.corpora import write_corpus
from daitir.encoders import load_encoder
from daitir.stages.encode import EncodeOptions, encode_corpus

REPEATS = 2


def measure(folder: Path, device: str, images: int, workers: list[int], batch: int) -> Iterator[Row]:
    """Yield the rows; the fastest is the one that has to be fast."""
    case = base_case(folder, images)
    write_corpus(folder / "names.json", case.names)
    rows: list[Row] = []
    for reduced in (False, True):
        for count in workers:
            settings = {"device": device, "batch_size": batch, "workers": count, "reduced_decode": reduced}
            settings |= {"dtype": "float16" if device == "cuda" else "float32"}
            options = EncodeOptions.model_validate({"code": "", "encoder": case.encoder | settings})
            model: Any = load_encoder(options.encoder)
            making = Loaded(options, RECORD, None, model)
            works = (
                partial(encode_corpus, making, folder / "names.json", case.images, folder / "features.h5"),
                partial(forward, model, case.names, batch),
            )
            waited = [finished(work, device) for work in works]
            for warm_up in waited:
                warm_up()
            ours, bare = in_turn(*waited, repeats=REPEATS)
            scale = "reduced" if reduced else "whole"
            figures = (
                f"{images / ours:,.0f} and {images / bare:,.0f} images/s; {count} workers, {scale} decoding"
            )
            rows.append(Row("encode on a GPU", "the model alone", ours / bare, "", figures))
            yield rows[-1]
    best = min(rows, key=lambda row: row.ratio)
    yield Row("encode on a GPU, the fastest", best.against, best.ratio, "at most 1.1", best.figures)


@torch.inference_mode()
def forward(model: Any, names: list[str], batch: int) -> None:
    """Run the model alone on as many images, which lie where it computes."""
    pixels_BCHW = torch.rand(batch, 3, 224, 224, device=model.device, dtype=model.dtype)
    for part in batches(names, batch):
        model.image_features(pixels_BCHW[: len(part)])


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8, 16])
    parser.add_argument("--batch", type=int, default=256)
    call = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tell(measure(Path(name), call.device, call.images, call.workers, call.batch), call.json)


if __name__ == "__main__":
    main()
