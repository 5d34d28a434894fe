"""Encoders side by side: how text, image and target lie, and what is true."""

import io
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from daitir.errors import DaitirError
from daitir.shards import Picture, write_shard
from daitir.stages import compare_views
from daitir.tuning.views import RoundViews, gap, halves, plane_of, sample, summarise
from daitir.tuning.views_figure import JOINED, views_figure
from tests.sample_files import World, unit, write_world

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def views(text, image, target, truth=None):
    names = [f"d{place}" for place in range(len(text))]
    known = None if truth is None else np.array(truth)
    return RoundViews(names, np.array(text), np.array(image), np.array(target), known)


def test_cosines_and_gaps_by_hand():
    """Texts lie on their targets; one image of two stands at a right angle to its target."""
    row = summarise(views([EAST, EAST], [EAST, NORTH], [EAST, EAST]))
    assert (row["queries"], row["text_target"], row["image_target"], row["agreement"]) == (2, 1, 0.5, 0.5)
    assert (row["gap_text_target"], row["gap_image_target"]) == (0, pytest.approx(0.5**0.5))
    assert gap(np.array([EAST]), np.array([NORTH])) == pytest.approx(2**0.5)
    assert "truth" not in row


def test_halves_are_told_apart_by_the_truth():
    """Images 1 and 3 are the truer half; their cosines follow the truth but for one pair."""
    cosine = np.array([0.3, 0.9, 0.1, 0.7])
    image = np.stack([cosine, np.sqrt(1 - cosine**2)], axis=1)
    row = summarise(views([EAST] * 4, image, [EAST] * 4, [0.2, 0.9, 0.4, 0.8]))
    assert row["truth"] == pytest.approx(0.575)
    assert (row["faithful"], row["hallucinated"]) == (pytest.approx(0.8), pytest.approx(0.2))
    assert row["difference"] == pytest.approx(0.6)
    assert row["follows_truth"] == pytest.approx(0.8)  # Spearman: 1 - 6 * (1 + 1) / (4 * 15)
    assert [half.tolist() for half in halves(np.array([0.5, 0.5, 0.5]))] == [[0, 1], [2]]


def test_the_plane_keeps_what_varies_most():
    """Three numbers of which the last never varies, the first most: these two axes, pointing to the right."""
    text, image = [[-3.0, 1.0, 7.0]], [[3.0, 1.0, 7.0]]
    plane = plane_of(views(text, image, [[0.0, -2.0, 7.0]]))
    found = [part[0].tolist() for part in plane[:3]]
    assert found == [[-3, 1], [3, 1], [0, -2]]
    assert plane.shares == (pytest.approx(18 / 24), pytest.approx(6 / 24))


def test_the_sample_hangs_on_names():
    """Whatever else is there and in which order, the same queries are drawn."""
    names = [f"d{place}" for place in range(100)]
    drawn = {names[row] for row in sample(names, 10)}
    assert len(drawn) == 10
    assert drawn == {names[::-1][row] for row in sample(names[::-1], 10)}
    assert sample(names[:3], 10) == [0, 1, 2]


def random_views(seed, truth=True):
    rng = np.random.default_rng(seed)
    parts = [unit(rng.normal(size=(60, 8))) for _ in range(3)]
    return views(*parts, truth=rng.random(60) if truth else None)


def test_figure_is_the_same_bytes_each_time():
    """A column an encoder, two rows where truth is known; names are text, lines lead to sampled targets."""
    both = {"before": random_views(0), "after": random_views(1)}
    svg = views_figure("views", both)
    assert svg == views_figure("views", both)
    for words in ("before", "after", "text", "target", "faithful half", "hallucinated half"):
        assert f">{words}</text>" in svg
    bare = views_figure("views", {name: replace(one, truth_S=None) for name, one in both.items()})
    assert ">hallucinated half</text>" not in bare
    assert len(re.findall('id="axes_', svg)) == 2 * len(re.findall('id="axes_', bare)) == 4
    assert bare.count("stroke-width: 0.5;") >= 2 * 2 * JOINED


def bright(picture, target):
    """A judge for tests: how bright the picture is, whatever the target."""
    assert picture.size == target.size
    return picture.getpixel((0, 0))[0] / 255


def png(brightness):
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (brightness,) * 3).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def line(tmp_path):
    """What the workflow gives the stage: two encoders of four dialogues of two rounds, and a shard."""
    stores = [write_world(tmp_path / name, World(dialogues=4, seed=seed)) for seed, name in enumerate("ab")]
    keys = [(n, r) for n in range(4) for r in (0, 1)]
    pictures = [Picture(f"d{n:04}_r{r}_k1", png(50 * n + r), "png", {}) for n, r in keys]
    write_shard(tmp_path / "0.tar", pictures, {})
    for number in range(4):
        (tmp_path / f"{number:04}.png").write_bytes(png(0))
    (tmp_path / "corpus.json").write_text(json.dumps([f"{number:04}.png" for number in range(80)]))

    def arguments(**options):
        record = {"code": "", "judge": "tests.test_compare_views:bright", "rounds": [1, 0]} | options
        paths = {"dialogues": stores[0].dialogues, "shards": tmp_path / "0.tar", "images": tmp_path}
        paths |= {
            "list": tmp_path / "corpus.json",
            "output": tmp_path / "t.csv",
            "figure": tmp_path / "f.svg",
        }
        found = ["--options", json.dumps(record)]
        for name, path in paths.items():
            found += [f"--{name}", str(path)]
        for name, one in zip(("before", "after"), stores, strict=True):
            found += ["--encoder", name, *map(str, (one.queries, one.corpus, *one.pictures))]
        return found

    return arguments


def call(monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["compare_views", *arguments])
    compare_views.main()


def test_table_has_a_row_an_encoder_and_round(tmp_path, monkeypatch, line):
    """Truth is the judge's and of no encoder, cosines are of each; the figure is of the last round."""
    call(monkeypatch, line())
    table = pd.read_csv(tmp_path / "t.csv")
    assert table[["encoder", "round", "queries"]].to_numpy().tolist() == [
        [name, round_, 4] for name in ("before", "after") for round_ in (1, 0)
    ]
    expected = [np.mean([(50 * n + r) / 255 for n in range(4)]) for r in (1, 0)] * 2
    assert table["truth"].tolist() == pytest.approx(expected, rel=1e-5)
    assert table["agreement"][0] != table["agreement"][2]
    assert ">views of round 0</text>" in (tmp_path / "f.svg").read_text()


def test_without_a_judge_nothing_is_said_of_truth(tmp_path, monkeypatch, line):
    """No column, no panel."""
    call(monkeypatch, line(judge=None))
    assert "truth" not in pd.read_csv(tmp_path / "t.csv").columns
    assert "faithful" not in (tmp_path / "f.svg").read_text()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"rounds": [7]}, "no query of round 7"),
        ({"k": 3}, "no image 3"),
        ({"k": 2}, "no shard holds picture d0000_r0_k2"),
        ({"judge": "tests.test_compare_views:dark"}, "cannot be imported"),
        ({"judge": "tests.test_compare_views:never"}, "says 7 of picture d0000_r0_k1"),
    ],
)
def test_what_is_missing_is_named(monkeypatch, line, options, fault):
    """A round, an image, a picture, a judge, a share."""
    monkeypatch.setattr(sys.modules[__name__], "never", lambda picture, target: 7, raising=False)
    with pytest.raises(DaitirError, match=fault):
        call(monkeypatch, line(**options))


def test_encoders_must_be_asked_the_same(tmp_path, monkeypatch, line):
    """Features of fewer rounds under one encoder are refused, and so is an encoder given twice."""
    other = write_world(tmp_path / "c", World(dialogues=4, rounds=1))
    stores = ["--encoder", "c", *map(str, (other.queries, other.corpus, *other.pictures))]
    with pytest.raises(DaitirError, match="differs between"):
        call(monkeypatch, [*line(rounds=[0]), *stores])
    with pytest.raises(DaitirError, match="after is given twice"):
        call(monkeypatch, [*line(), "--encoder", "after", *stores[2:]])
    with pytest.raises(DaitirError, match="give all three"):
        call(monkeypatch, [*line(), "--encoder", "d", "q.h5"])
