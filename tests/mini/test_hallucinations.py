"""What a picture invents, and whether an encoder sees it."""

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from tests.sample_files import World, write_world

from daitir.mini import hallucinations
from daitir.mini.hallucinations import Cosines, read_truths, share_true, summarise
from daitir.mini.world import Scene, Thing, render
from daitir.shards import Picture, write_shard

STAR = Thing("star", "red", "large", "top left")
SCENE = Scene("night", (STAR, Thing("ring", "white", "small", "middle")))


def png(scene):
    stream = io.BytesIO()
    render(scene).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("things", "share"),
    [
        (SCENE.things, 1),
        ((replace(STAR, colour="green"), SCENE.things[1]), 8 / 9),  # of a background and two things of four
        ((STAR,), 1),  # what is left out is not invented
        ((), 1),
    ],
)
def test_only_what_is_shown_and_wrong_is_invented(things, share):
    """The share of a picture's facts that hold in its target."""
    assert share_true(render(replace(SCENE, things=things)), render(SCENE)) == pytest.approx(share)


def test_halves_are_told_apart_by_the_truth():
    """Pictures 1 and 3 are the truer half; their cosines follow the truth but for one pair."""
    found = Cosines(
        truth_S=np.array([0.2, 0.9, 0.4, 0.8]),
        image_target_S=np.array([0.3, 0.9, 0.1, 0.7]),
        text_image_S=np.array([0.1, 0.2, 0.3, 0.4]),
    )
    row = summarise(found)
    assert (row["pictures"], row["truth"], row["agreement"]) == (4, pytest.approx(0.575), pytest.approx(0.25))
    assert (row["faithful"], row["hallucinated"]) == (pytest.approx(0.8), pytest.approx(0.2))
    assert row["gap"] == pytest.approx(0.6)
    assert row["follows truth"] == pytest.approx(0.8)  # Spearman: 1 - 6 * (1 + 1) / (4 * 15)


def test_the_table_has_a_row_for_each_encoder_and_round(tmp_path, monkeypatch, capsys):
    """Truth is read from the pictures alone, cosines from the features of each encoder."""
    sources = write_world(tmp_path, World(dialogues=4, rounds=2))
    wrong = replace(SCENE, things=(replace(STAR, colour="green"), SCENE.things[1]))
    pictures = [
        Picture(f"d{n:04}_r{r}_k1", png(wrong if n % 2 else SCENE), "png", {})
        for n in range(4)
        for r in (0, 1)
    ]
    write_shard(tmp_path / "0.tar", pictures, {})
    for number in range(4):
        (tmp_path / f"{number:04}.png").write_bytes(png(SCENE))
    truths = read_truths(sources.dialogues, [tmp_path / "0.tar"], tmp_path, [1])
    assert truths == {(f"d{n:04}", 1): pytest.approx(8 / 9 if n % 2 else 1) for n in range(4)}
    files = [str(path) for path in (sources.queries, sources.corpus, *sources.pictures)]
    paths = ["--dialogues", sources.dialogues, "--shards", tmp_path / "0.tar", "--images", tmp_path]
    encoders = ["--encoder", "before", *files, "--encoder", "after", *files, "--rounds", "0", "1"]
    monkeypatch.setattr(sys, "argv", ["hallucinations", *map(str, paths), *encoders])
    hallucinations.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        [name, round_, "4"] for name in ("before", "after") for round_ in ("0", "1")
    ]
