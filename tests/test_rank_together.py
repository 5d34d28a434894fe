"""Systems that are ranked together get the files that they get alone, and know which of them are."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from daitir.config import load_config
from daitir.config.together import ranked_together, ranked_with
from daitir.errors import DaitirError
from daitir.samples import Sources
from daitir.stages import rank, rank_together
from tests.sample_files import World, write_world

ROOT = Path(__file__).parents[1]
FUSIONS = {
    "text": {"kind": "text"},
    "image": {"kind": "image"},
    "add": {"kind": "add"},
    "dar": {"kind": "dar"},
    "first": {"kind": "dar", "images": 1},
}


@pytest.fixture
def sources(tmp_path):
    return write_world(tmp_path, World(dialogues=40, rounds=3, images=3, width=16, candidates=700))


def call(monkeypatch, stage, sources, options, outputs):
    argv = [
        *("--options", json.dumps({"code": "c", **options})),
        *("--dialogues", str(sources.dialogues), "--queries", str(sources.queries)),
        *("--pictures", *map(str, sources.pictures), "--corpus", str(sources.corpus)),
        *("--output", *map(str, outputs)),
    ]
    monkeypatch.setattr(sys, "argv", [stage.__name__, *argv])
    stage.main()


def together(monkeypatch, sources, outputs, fusions=FUSIONS):
    systems = {name: {"code": "c", "fusion": fusion} for name, fusion in fusions.items()}
    call(monkeypatch, rank_together, sources, {"systems": systems}, outputs)


@pytest.mark.parametrize("worthwhile", [0, 10_000])
def test_files_are_those_of_each_system_alone(monkeypatch, sources, tmp_path, worthwhile):
    """To the byte, provenance included, products shared or not: a text knows of no pictures."""
    monkeypatch.setattr("daitir.together.WORTHWHILE", worthwhile)
    blind = Sources(sources.dialogues, sources.queries, (), sources.corpus)
    outputs = [tmp_path / "results" / "ranks" / name / "few.parquet" for name in FUSIONS]
    together(monkeypatch, sources, outputs[::-1])
    found = [path.read_bytes() for path in outputs]
    for (name, fusion), path in zip(FUSIONS.items(), outputs, strict=True):
        path.unlink()
        call(monkeypatch, rank, blind if name == "text" else sources, {"fusion": fusion}, [path])
    assert found == [path.read_bytes() for path in outputs]


@pytest.mark.parametrize("names", [["text", "image", "add"], ["text", "image", "add", "other"]])
def test_each_system_has_one_file(monkeypatch, sources, tmp_path, names):
    """A file too few, or in another system's folder, is refused before any work."""
    outputs = [tmp_path / name / "few.parquet" for name in names]
    with pytest.raises(DaitirError, match="give each system one file, in a folder of its name"):
        together(
            monkeypatch, sources, outputs, {name: FUSIONS[name] for name in ("text", "image", "add", "dar")}
        )
    assert not any(path.exists() for path in outputs)


def config(**systems):
    """The smoke config with other systems of its components."""
    values = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    values["generators"]["other"] = values["generators"]["sd3"]
    return load_config(values | {"systems": systems})


def system(method, images="sd3", **more):
    return (
        {"encoder": "blip", "queries": "llm", "method": method}
        | ({"images": images} if images else {})
        | more
    )


def test_sums_of_one_text_and_one_image_are_ranked_together():
    """What is trained, or looks at other pictures or queries, is not among them."""
    found = config(
        text=system("text", None),
        raw=system("text", None, queries="raw"),
        dar=system("dar"),
        trained=system("adafuse"),
        other=system("dar", "other"),
        image=system("image"),
    )
    assert ranked_together(found) == [("text", "dar", "image")]
    assert ranked_with(found, "image") == ("text", "dar", "image")
    assert ranked_with(found, "trained") == ("trained",)


def test_two_systems_are_ranked_each_by_itself():
    """They have two scores, together or not."""
    assert ranked_together(config(text=system("text", None), dar=system("dar"))) == []


def test_systems_of_other_dialogue_sets_are_not_ranked_together():
    """A job is about one dialogue set, and makes the files of all its systems."""
    values = config(text=system("text", None), dar=system("dar"), add=system("add"))
    assert len(ranked_together(values)) == 1
    values.systems["add"] = values.systems["add"].model_copy(update={"dialogues": ()})
    assert ranked_together(values) == []


def test_a_text_goes_with_the_first_of_several_generators():
    """The sums of the other generator's pictures have each other."""
    names = ("image", "add", "dar")
    others = {f"{name}-other": system(name, "other") for name in names}
    found = config(text=system("text", None), **others, **{name: system(name) for name in names})
    assert ranked_together(found) == [("text", *others), names]
