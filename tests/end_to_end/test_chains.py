"""From a dialogue file to ranks, tables and the report, with each class of component in turn."""

import io
import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from daitir.queries import read_queries
from daitir.ranks import ranks_provenance, read_ranks
from daitir.shards import read_shard, shard_provenance
from tests import tiny_pipelines
from tests.end_to_end.conftest import CANDIDATES, ENCODERS, IMAGES, REFORMULATORS, STORED
from tests.test_generators import ORDERS, SETTINGS, generator_of, pixels

QUERIES = ["0_r0", "0_r1", "2_r0", "2_r1"]
WIDTHS = dict(zip(ENCODERS, (16, 16, 32, 32, 128), strict=True))
SIDES = dict.fromkeys(SETTINGS, 16) | {"flux": 8, "sana": 24}  # as drawn, or as stored


def check_ranks(chain, name):
    """Every dialogue and round has a rank in the corpus; the ranks stem from the features of the encoder."""
    frame = read_ranks(chain.ranks(name))
    assert [f"{row.dialogue_id}_r{row.round}" for row in frame.itertuples()] == QUERIES
    assert frame["rank"].between(1, CANDIDATES).all()
    assert frame["target"].tolist() == ["0.png", "0.png", "2.png", "2.png"]
    assert frame["similarity"].between(-1, 1).all()
    w, inputs = chain.wildcards(name), ranks_provenance(chain.ranks(name))["inputs"]
    model = chain.config["encoders"][w.encoder]["model"]
    for what in ("queries", "pictures", "corpus"):
        features = chain.features(w, what)
        assert inputs[what] == features.digest
        assert features.provenance["options"]["encoder"]["model"] == model
    return w


@pytest.mark.parametrize("encoder", WIDTHS)
def test_each_encoder_searches(chain, encoder):
    """Its features are as wide as it is, and the one text that is longer than its limit is counted."""
    w = check_ranks(chain, f"{encoder}-join-sd3")
    for what, rows in (("queries", 4), ("pictures", 4 * IMAGES), ("corpus", CANDIDATES)):
        features = chain.features(w, what)
        assert features.matrix.shape == (rows, WIDTHS[encoder])
        assert features.provenance["facts"]["width"] == WIDTHS[encoder]
        assert len(np.unique(features.matrix.round(4), axis=0)) == rows
    queries = chain.features(w, "queries")
    assert queries.keys == QUERIES
    assert queries.provenance["texts"] == {"all": 4, "truncated": 1}
    assert queries.truncated.tolist() == [False, False, False, True]


@pytest.mark.parametrize("generator", SETTINGS)
def test_each_generator_draws(chain, generator):
    """K different pictures a round, as they are asked for; the one prompt it reads in part is counted."""
    w = check_ranks(chain, f"blip-join-{generator}")
    pictures = list(read_shard(chain.pictures(w)))
    assert [picture.key for picture in pictures] == [f"{key}_k{k}" for key in QUERIES for k in (1, 2)]
    assert len({picture.data for picture in pictures}) == 4 * IMAGES
    stored = STORED.get(generator, {}).get("format", "png")
    for picture in pictures:
        image = Image.open(io.BytesIO(picture.data))
        assert (picture.format, image.format) == (stored, {"jpg": "JPEG"}.get(stored, stored.upper()))
        assert (image.size, image.mode) == ((SIDES[generator],) * 2, "RGB")
    assert shard_provenance(chain.pictures(w))["prompts"] == {"all": 4, "cut": 1}


def test_published_pictures_are_searched_with(chain):
    """One a round, read where they lie."""
    w = check_ranks(chain, "blip-join-released")
    found = {picture.key: picture.link.name for picture in read_shard(chain.pictures(w))}
    names = ["0_0.jpg", "0_1.jpg", "1_0.jpg", "1_1.jpg"]
    assert found == {f"{key}_k1": name for key, name in zip(QUERIES, names, strict=True)}


@pytest.mark.parametrize("reformulator", REFORMULATORS)
def test_each_reformulator_writes(chain, reformulator):
    """A query text and K prompts a round, from which pictures are drawn."""
    w = check_ranks(chain, f"blip-{reformulator}-sd3")
    queries = read_queries(chain.queries(w))
    assert [query.key for query in queries] == QUERIES
    assert all(query.query_text and len(query.prompts) == IMAGES for query in queries)
    expected = {
        "join": "a star, is it red? yes",
        "openai": "a star, is it red? yes!",
        "released": "a red star",
    }
    if reformulator in expected:
        assert queries[1].query_text == expected[reformulator]
    drawn = {picture.key: picture.meta["prompt"] for picture in read_shard(chain.pictures(w))}
    assert [drawn[f"{query.key}_k2"] for query in queries] == [query.prompts[1] for query in queries]


def test_all_systems_are_measured_and_reported(chain):
    """One row a system in the summary; the page names each."""
    systems = list(chain.config["systems"])
    for name in systems:
        chain.ranks(name)
    plan, results = chain.plan, chain.config["results"]
    options, summary = plan.measure_options(None), chain.layout.table("summary")
    chain.call("measure", summary, into=None, options=options, results=results)
    table = pd.read_csv(summary)
    assert table["system"].tolist() == systems
    assert table["hits@1 round 1"].between(0, 1).all()
    compared = pd.read_csv(chain.layout.table("degradation"))
    assert compared["system"].unique().tolist() == systems[1:]  # all but the baseline
    page = chain.call("report", chain.layout.report, options=plan.report_options(None), results=results)
    assert all(name in page.read_text() for name in systems)


def test_offloading_is_left_out_on_the_cpu(chain, tmp_path):
    """There is nowhere to bring a model from: the pictures are the same to the last byte."""
    w = chain.wildcards("blip-join-sd3_t5")
    wanted, queries = list(read_shard(chain.pictures(w))), chain.queries(w)
    for offload in ("model", "sequential"):
        how = json.dumps({"generator": {"device": "cpu", "offload": offload}})
        paths = {"how": how, "queries": queries, "scratch": tmp_path / "scratch"}
        shard = chain.call("generate", tmp_path / offload, options=chain.plan.generate_options(w), **paths)
        assert list(read_shard(shard)) == wanted


def test_a_compiled_model_draws_the_same_pictures(tmp_path, monkeypatch):
    """Traced as for a compiler but run by torch itself: to make machine code of it takes minutes on a CPU."""
    plain = pixels(generator_of(tiny_pipelines.sd3_t5(tmp_path / "sd3_t5")), ORDERS[:2])
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    compiled = generator_of(tmp_path / "sd3_t5", compile=True)
    drawn = pixels(compiled, ORDERS[:2])
    assert isinstance(compiled.pipeline.transformer, torch._dynamo.OptimizedModule)
    for order in ORDERS[:2]:
        np.testing.assert_allclose(drawn[order], plain[order], atol=1)
