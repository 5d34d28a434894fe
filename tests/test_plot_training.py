"""Histories as figures."""

import re
import sys

import pandas as pd
import pytest

from daitir.errors import DaitirError
from daitir.history import write_history
from daitir.stages import plot_training
from daitir.tuning.curves import tuning_figure
from daitir.tuning.history import SCHEMA, write_tuning_history

PANELS = ("loss of the training dialogues and its terms", "weights of the terms")
PANELS += ("Recall@10 of the held-out dialogues, %", "mean cosines of the held-out dialogues")
SEEN = ("image-target", "text-target", "fused-target", "image-text", "agreement")


def epochs(terms=5, sees_images=True):
    """The encoder as it was, and two epochs of which the first was kept."""
    rows = []
    for epoch in range(3):
        trained = {"loss": 3.0 - epoch, "terms": [3.0 - epoch + term for term in range(terms)]}
        row = {"epoch": epoch, "weights": [1.0 + term for term in range(terms)], "chosen": epoch == 1}
        row |= trained if epoch else {}
        row |= {"recall_at_10": 0.5 + 0.1 * epoch, "text_recall_at_10": 0.5, "text_target_cosine": 0.4}
        if sees_images:
            row |= {"image_recall_at_10": 0.4, "text_image_cosine": 0.3, "image_target_cosine": 0.2}
        rows.append(dict.fromkeys(SCHEMA.names) | row)
    return rows


def names_in(svg):
    return [name for name in re.findall(">([^<]+)</text>", svg) if name[:1].islower() and name != "epoch"]


def test_tuning_figure_names_its_lines():
    """Four panels; the loss and its five terms, their weights, three recalls and three cosines."""
    svg = tuning_figure("blip-dmcl", [pd.DataFrame(epochs())])
    for words in ("blip-dmcl", *PANELS):
        assert f">{words}</text>" in svg
    assert sorted(set(names_in(svg)) - set(PANELS)) == sorted(
        {"blip-dmcl", "loss", *SEEN, "both", "text", "image", "text-image"}
    )
    assert svg == tuning_figure("blip-dmcl", [pd.DataFrame(epochs())])


def test_a_seed_is_a_dash():
    """A second seed adds a line of dashes to each of the 17, and no name."""
    one, two = (tuning_figure("t", [pd.DataFrame(epochs())] * seeds) for seeds in (1, 2))
    dashes = [svg.count("stroke-dasharray: 5.18") for svg in (one, two)]
    assert dashes == [0, 6 + 5 + 3 + 3]
    assert names_in(one) == names_in(two)


def test_tuning_figure_of_texts_alone():
    """One term has no weight to learn, and there is nothing of images."""
    svg = tuning_figure("blip-chatir", [pd.DataFrame(epochs(terms=1, sees_images=False))])
    assert svg.count(">none</text>") == 1
    assert [name for name in names_in(svg) if name in {"both", "image", "text"}] == ["text"]
    assert not set(SEEN) - {"text-target"} & set(names_in(svg))


@pytest.mark.parametrize(("kind", "word"), [("fusion", "load of each expert"), ("encoder", "agreement")])
def test_stage_draws_either_kind(tmp_path, monkeypatch, kind, word):
    """The figure of the files' histories; a file of the other kind is refused."""
    gate = {"gate_mean": 0.5, "gate_spread": 0.1, "expert_load": [0.5, 0.5]}
    fusion = [{"epoch": 1, "loss": 2.0, "hits_at_10": 0.5, "chosen": True} | gate]
    write_history(tmp_path / "fusion.parquet", fusion, {"stage": "train"})
    write_tuning_history(tmp_path / "encoder.parquet", epochs(), {"stage": "tune"})
    output = tmp_path / "figures" / "f.svg"

    def call(history):
        line = ["--kind", kind, "--title", "mine", "--output", str(output)]
        monkeypatch.setattr(sys, "argv", ["plot_training", *line, "--histories", str(tmp_path / history)])
        plot_training.main()

    call(f"{kind}.parquet")
    assert f">{word}</text>" in output.read_text()
    with pytest.raises(DaitirError):
        call("encoder.parquet" if kind == "fusion" else "fusion.parquet")
