"""Encoding: the images of a corpus, generated pictures, and the encoder itself."""

import io
import json
import random
import shutil
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from daitir.features import write_features
from daitir.files import digest_bytes
from daitir.provenance import provenance
from daitir.queries import Query, write_queries
from daitir.shards import Picture, write_shard
from tests.bad_input.calls import Call, Place, RunsCode, call, case, cases

HOW = {"encoder": {"device": "cpu", "batch_size": 4}}


def picture() -> bytes:
    """Return a PNG of noise."""
    sink = io.BytesIO()
    Image.frombytes("RGB", (30, 30), random.Random(0).randbytes(2700)).save(sink, "png")
    return sink.getvalue()


def fractions() -> bytes:
    """Return a TIFF whose grey values are fractions."""
    sink = io.BytesIO()
    Image.new("F", (30, 30), 0.5).save(sink, "tiff")
    return sink.getvalue()


def huge() -> bytes:
    """Return the beginning of a PNG that says it has 200 million pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 10_000, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunks + struct.pack(">I", 8) + b"IDAT" + bytes(8)


def options_of(place: Place, model: Path | None = None, **encoder: Any) -> dict[str, Any]:
    """Return the record of an encoder."""
    return {"code": "1", "encoder": {"kind": "blip", "model": str(model or place.models.blip)} | encoder}


def corpus(place: Place, second: str = "1.png", **encoder: Any) -> Call:
    """Encode a corpus of two images, of which only the first is surely there."""
    place.write("images/0.png", picture())
    place.write("corpus.json", ["0.png", second])
    paths = {"list": place.folder / "corpus.json", "images": place.folder / "images"}
    options = options_of(place, **encoder)
    return call("corpus", options=options, how=HOW, **paths, output=place.folder / "c.h5")


@cases(
    "encode",
    {
        "a corpus image that is missing": None,
        "a corpus image that is none": b"<html>404</html>",
        "a corpus image that is cut short": picture()[:-800],
        "a corpus image that is absurdly large": huge(),
        "a corpus image without a known white": fractions(),
    },
)
def corpus_image(place: Place, data: bytes | None) -> Call:
    """The second image of a corpus."""
    if data is not None:
        place.write("images/1.png", data)
    return corpus(place)


@case("encode", "a corpus image outside its folder")
def image_outside(place: Place) -> Call:
    """A name with dots."""
    place.write("secret.png", picture())
    return corpus(place, "../secret.png")


@case("encode", "a folder of images that is a file")
def file_of_images(place: Place) -> Call:
    """An archive that nobody unpacked."""
    asked = corpus(place)
    (place.folder / "images" / "0.png").unlink()
    (place.folder / "images").rmdir()
    place.write("images", b"PK")
    return asked


@case("encode", "weights that do not fill their model")
def lost_weights(place: Place) -> Call:
    """A model without one of its projections."""
    copy = place.folder / "blip"
    shutil.copytree(place.models.blip, copy)
    weights = load_file(copy / "model.safetensors")
    del weights["vision_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    return corpus(place, model=copy)


@cases(
    "encode",
    {
        "model weights that are cut short": ("model.safetensors", 5000),
        "a tokenizer without its vocabulary": ("tokenizer.json", None),
    },
)
def incomplete_model(place: Place, given: tuple[str, int | None]) -> Call:
    """A download that broke off: a file is cut, or gone."""
    name, length = given
    file = Path(shutil.copytree(place.models.blip, place.folder / "blip")) / name
    data = file.read_bytes()
    file.unlink()
    if length is not None:
        file.write_bytes(data[:length])
    return corpus(place, model=place.folder / "blip")


@case("encode", "a model whose pickle holds code")
def code_in_a_model(place: Place) -> Call:
    """A file of an older repository with more than weights in it; nothing is run."""
    copy = place.folder / "blip"
    shutil.copytree(place.models.blip, copy)
    (copy / "model.safetensors").unlink()
    torch.save({"vision_proj.weight": RunsCode()}, copy / "pytorch_model.bin")
    place.monkeypatch.chdir(place.folder)
    return corpus(place, model=copy)


@case("encode", "a model with a setting of another type")
def text_for_a_number(place: Place) -> Call:
    """A config.json that somebody edited."""
    copy = Path(shutil.copytree(place.models.blip, place.folder / "blip"))
    config = json.loads((copy / "config.json").read_text())
    place.write("blip/config.json", config | {"image_text_hidden_size": "16"})
    return corpus(place, model=copy)


@case("encode", "a model of another kind")
def other_kind(place: Place) -> Call:
    """BLIP for CLIP."""
    return corpus(place, kind="clip")


def texts(place: Place, encoder: Any = None, **paths: Any) -> Call:
    """Encode the query texts of one shard."""
    write_queries(place.folder / "q.parquet", [Query("d0", 0, "star", ("a star",))], {"stage": "test"})
    paths = {"queries": [place.folder / "q.parquet"], "output": place.folder / "q.h5"} | paths
    return call("queries", options=options_of(place, **(encoder or {})), how=HOW, **paths)


@case("encode", "more tokens than the model reads")
def many_tokens(place: Place) -> Call:
    """A limit that is none."""
    return texts(place, {"max_tokens": 999})


@case("encode", "the same query in two shards")
def query_twice(place: Place) -> Call:
    """A shard left from another number of shards."""
    write_queries(place.folder / "old.parquet", [Query("d0", 0, "star", ("a star",))], {"stage": "test"})
    return texts(place, queries=[place.folder / "q.parquet", place.folder / "old.parquet"])


@case("encode", "queries that are not there")
def no_queries(place: Place) -> Call:
    """A shard that is not made yet."""
    return texts(place, queries=[place.folder / "none.parquet"])


@case("encode", "known features of another encoder")
def other_encoder(place: Place) -> Call:
    """Round 0 encoded by another model."""
    who = provenance("encode", {"code": "1", "encoder": {"kind": "blip", "model": "another"}})
    write_features(place.folder / "known.h5", ["d0_r0"], np.eye(1, 16), who)
    known = {"known_queries": place.folder / "q.parquet", "known_features": place.folder / "known.h5"}
    return texts(place, **known)


def shard(place: Place, *pictures: Picture, kind: str = "diffusers") -> Path:
    """Write an image shard of a kind of generator."""
    write_shard(place.folder / "i.tar", pictures, provenance("generate", {"generator": {"kind": kind}}))
    return place.folder / "i.tar"


def pictures(place: Place) -> Call:
    """Encode the pictures of the shard."""
    paths = {"shard": place.folder / "i.tar", "output": place.folder / "p.h5"}
    return call("pictures", options=options_of(place), how=HOW, **paths)


@cases(
    "encode",
    {
        "an image shard that is not there": None,
        "an image shard that is cut in a picture": lambda tar: tar.offset // 2,
        "an image shard that is cut behind a picture": lambda tar: tar.offset,
        "an image shard that is none": lambda _: 0,
    },
)
def damaged_shard(place: Place, length: Any) -> Call:
    """A shard of two pictures, of which some bytes are left."""
    path = shard(place, *(Picture(f"d0_r0_k{k}", picture(), "png", {}) for k in (1, 2)))
    if length is None:
        path.unlink()
        return pictures(place)
    with tarfile.open(path) as tar:
        second = tar.getmember("d0_r0_k2.png")
    place.write("i.tar", path.read_bytes()[: length(second)] or b"no tar" * 200)
    return pictures(place)


@case("encode", "a generated picture that is damaged")
def damaged_picture(place: Place) -> Call:
    """A picture in a shard."""
    shard(place, Picture("d0_r0_k1", picture()[:-800], "png", {}))
    return pictures(place)


@cases("encode", {"a linked picture that is gone": None, "a linked picture that has changed": b"another"})
def behind_a_link(place: Place, data: bytes | None) -> Call:
    """A published picture that was linked and is no longer what it was."""
    link = place.folder / "published.png"
    shard(
        place, Picture("d0_r0_k1", b"", "png", {"digest": digest_bytes([picture()])}, link), kind="released"
    )
    if data is not None:
        place.write("published.png", data)
    return pictures(place)
