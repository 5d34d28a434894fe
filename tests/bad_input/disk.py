"""A disk that is full: writers meet the system's own error, at a file leading to /dev/full. Wrong clocks."""

import os
import time
from dataclasses import replace

from tests.bad_input import data, encoding, pictures, ranks, tools
from tests.bad_input.calls import Call, Place, call, case, cases

FULL = "the disk is full"
LIMITED = "a file that the system does not let grow"


@cases("import", {FULL: "d.parquet"})
def full_at_the_import(place: Place, name: str) -> Call:
    """Parquet."""
    return full(place, name, data.read(place, [data.ENTRY]))


@case("import", "a file that is dated tomorrow")
def from_the_future(place: Place) -> Call:
    """The clock was set back, or is wrong."""
    asked = data.read(place, [data.ENTRY])
    os.utime(place.folder / "dialogues", (time.time() + 86_400,) * 2)
    return asked


@cases("encode", {FULL: "c.h5"})
def full_at_the_encoder(place: Place, name: str) -> Call:
    """HDF5."""
    place.write("images/1.png", encoding.picture())
    return full(place, name, encoding.corpus(place))


@cases("generate", {FULL: "i.tar"})
def full_at_the_generator(place: Place, name: str) -> Call:
    """Tar; the pictures that are drawn are kept."""
    return replace(full(place, name, pictures.generate(place)), keeps="scratch/*/*.tar")


@cases("train", {FULL: "history.parquet"})
def full_at_the_end_of_training(place: Place, name: str) -> Call:
    """Parquet; the last checkpoint is kept."""
    sources = ranks.write_world(place.folder, replace(ranks.WORLD, dialogues=40, candidates=50))
    return replace(full(place, name, ranks.train(place, sources)), keeps="scratch/*/checkpoint.pt")


def full(place: Place, name: str, asked: Call) -> Call:
    """Return the call; the file that it writes first leads to a full device."""
    (place.folder / f".{name}.partial").symlink_to("/dev/full")
    return asked


@case("list corpus", LIMITED)
def limited_list(place: Place) -> Call:
    """Text, in a process whose files may have 2,000 bytes."""
    for number in range(300):
        place.write(f"images/{number:03}.png", b"")
    asked = call(images=place.folder / "images", output=place.folder / "corpus.json", alone=True)
    return replace(asked, limit=2000)


@case("convert", LIMITED)
def limited_model(place: Place) -> Call:
    """Safetensors of a library, in a process whose files may have a million bytes."""
    asked = tools.convert(place, tools.state())
    return replace(asked, limit=1_000_000, alone=True)


@case("fetch", LIMITED)
def limited_fetch(place: Place) -> Call:
    """A download, in a process whose files may have 100,000 bytes: what has come is kept."""
    asked = tools.fetch(place, base_url=tools.served(place), alone=True)
    return replace(asked, limit=100_000, keeps=f"data/.{tools.NAME}.partial")
