"""Pictures: drawn, or published and linked."""

import shutil
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from daitir.dialogues import Dialogue, write_dialogues
from daitir.queries import Query, write_queries
from daitir.shards import Picture, write_shard
from tests.bad_input.calls import Call, Place, call, case, cases

DIALOGUE = Dialogue("d0", "star.png", ("a star", "is it red? yes"), 0)
QUERIES = [Query("d0", round_, "star", ("a star",)) for round_ in (0, 1)]


def generate(place: Place, *, model: Path | None = None, known: Any = (), **generator: Any) -> Call:
    """Draw the pictures of two queries."""
    device = generator.pop("device", "cpu")
    write_queries(place.folder / "q.parquet", QUERIES, {"stage": "test"})
    chosen = {"steps": 1, "guidance": 2.0, "height": 16, "width": 16, "images": 1, "max_sequence_length": 1}
    chosen |= {"model": str(model or place.models.sd3)} | generator
    return call(
        options={"code": "1", "generator": chosen},
        how={"generator": {"device": device, "batch_size": 2}},
        queries=place.folder / "q.parquet",
        scratch=place.folder / "scratch",
        output=place.folder / "i.tar",
        known=known,
    )


@case("generate", "fewer prompts than images")
def few_prompts(place: Place) -> Call:
    """One prompt, three images."""
    return generate(place, images=3)


@case("generate", "a device that is not there")
def no_device(place: Place) -> Call:
    """One that no machine has together with this one's."""
    return generate(place, device="cuda" if not torch.cuda.is_available() else "mps")


@case("generate", "a setting that the pipeline does not take")
def wrong_size(place: Place) -> Call:
    """Sides that are no multiple of the model's cells."""
    return generate(place, height=17)


@case("generate", "a model that is no pipeline")
def no_pipeline(place: Place) -> Call:
    """An encoder for a generator."""
    return generate(place, model=place.models.blip)


def changed_part(place: Place, part: str, change: Any) -> Path:
    """Return a copy of the pipeline with the weights of one part changed, in the folder of the models."""
    copy = place.folder / "sd3"
    shutil.copytree(place.models.sd3, copy)
    file = next((copy / part).glob("*.safetensors"))
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})
    return copy


@case("generate", "weights that do not fill their model")
def lost_weights(place: Place) -> Call:
    """One weight of the transformer gone."""
    return generate(place, model=changed_part(place, "transformer", lambda weights: weights.popitem()))


@case("generate", "a picture that is not finite")
def broken_decoder(place: Place) -> Call:
    """A decoder whose dtype overflows, so to say."""

    def spoil(weights: dict[str, torch.Tensor]) -> None:
        weights["decoder.conv_out.bias"].fill_(float("nan"))

    return generate(place, model=changed_part(place, "vae", spoil))


@case("generate", "a tokenizer without its vocabulary")
def lost_vocabulary(place: Place) -> Call:
    """A download that broke off: all prompts would be the same."""
    copy = Path(shutil.copytree(place.models.sd3, place.folder / "sd3"))
    (copy / "tokenizer_2" / "tokenizer.json").unlink()
    return generate(place, model=copy)


@case("generate", "known pictures of another generator")
def other_generator(place: Place) -> Call:
    """Round 0 of pictures that were drawn with other options."""
    made = {"stage": "generate", "options": {"code": "1", "generator": {"steps": 50}}, "versions": {}}
    write_shard(place.folder / "known.tar", [Picture("d0_r0_k1", b"", "png", {})], made)
    return generate(place, known=place.folder / "known.tar")


def link(place: Place, names: list[str], pattern: str = "{place}_{round}.png") -> Call:
    """Link published pictures; ``names`` are those that lie in the folder."""
    for name in names:
        (place.folder / "pictures").mkdir(exist_ok=True)
        Image.effect_noise((20, 20), 50).convert("RGB").save(place.folder / "pictures" / name)
    write_dialogues(place.folder / "d.parquet", [DIALOGUE], {"stage": "test"})
    write_queries(place.folder / "q.parquet", QUERIES, {"stage": "test"})
    return call(
        options={"code": "1", "generator": {"kind": "released", "pattern": pattern}},
        queries=place.folder / "q.parquet",
        dialogues=place.folder / "d.parquet",
        folder=place.folder / "pictures",
        output=place.folder / "i.tar",
    )


@cases(
    "generate",
    {
        "a published picture that is missing": (["0_0.png"], "{place}_{round}.png"),
        "a published picture outside its folder": ([], "../{place}_{round}.png"),
        "a published picture of an unknown format": (["0_0.gif", "0_1.gif"], "{place}_{round}.gif"),
    },
)
def published_pictures(place: Place, given: tuple[list[str], str]) -> Call:
    """Names that lead to no picture."""
    return link(place, *given)


@case("generate", "a published picture that is cut short")
def damaged_picture(place: Place) -> Call:
    """Half a file."""
    asked = link(place, ["0_0.png", "0_1.png"])
    data = (place.folder / "pictures" / "0_1.png").read_bytes()
    place.write("pictures/0_1.png", data[: len(data) // 2])
    return asked
