"""Too little memory: the batch is halved, and the results are those of a smaller batch."""

import json

import numpy as np
import pytest
import torch

from daitir.encoders import load_encoder
from daitir.errors import DaitirError
from daitir.generators import diffusers
from daitir.memory import FittingBatches
from daitir.queries import write_queries
from daitir.shards import read_shard
from tests import tiny_pipelines
from tests.faults.ledger import record
from tests.test_encoders import pictures, texts
from tests.test_generate import QUERIES, call, record_of
from tests.tiny_encoders import clip, options_of


def fits(most, seen):
    """Return a computation that fails above ``most`` rows, and notes the rows of every try."""

    def compute(rows):
        seen.append(len(rows))
        if len(rows) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return [row * 10 for row in rows]

    return compute


def test_batch_is_halved_until_it_fits(capsys):
    """Nothing is computed twice but what failed; the smaller size is kept, said and recorded."""
    seen: list[int] = []
    fitting = FittingBatches(16, "m", "cuda", "buy more")
    found = list(fitting.run(range(20), fits(5, seen)))
    assert [row for _, rows in found for row in rows] == [row * 10 for row in range(20)]
    assert [len(batch) for batch, _ in found] == [4] * 5
    assert seen == [16, 8, 4, 4, 4, 4, 4]
    assert fitting.lowered == 4
    assert fitting.record == {"batches": {"asked": 16, "used": {"4": 20}}}
    assert "16 rows of model m do not fit into the memory of cuda: going on with 8" in capsys.readouterr().err


def test_batch_that_fits_is_left_alone():
    """Then the record says nothing of it."""
    fitting = FittingBatches(4, "m", "cpu", "buy more")
    assert [batch for batch, _ in fitting.run("abcdef", lambda rows: rows)] == [list("abcd"), list("ef")]
    assert (fitting.lowered, fitting.record) == (None, {})


@pytest.mark.parametrize(("device", "tries"), [("cuda", [8, 4, 2, 1]), ("cpu", [8, 4])])
def test_what_fits_in_no_batch_is_one_line(device, tries):
    """On the CPU four rows are the fewest: with less the last bits move."""
    seen: list[int] = []
    with pytest.raises(DaitirError, match=r"model m needs more memory than .* has: buy more"):
        list(FittingBatches(8, "m", device, "buy more").run(range(8), fits(0, seen)))
    assert seen == tries


def test_other_errors_pass():
    """They are no lack of memory."""
    with pytest.raises(RuntimeError, match="size"):
        list(FittingBatches(8, "m", "cpu", "").run("a", lambda rows: torch.zeros(2) @ torch.zeros(3)))


def test_features_are_the_same_in_halved_batches(tmp_path, monkeypatch):
    """Bit for bit on the CPU, on both sides; the encoder's record says what was used."""
    folder = clip(tmp_path / "clip")
    wanted = load_encoder(options_of("clip", folder, batch_size=4))
    encoder = load_encoder(options_of("clip", folder, batch_size=32))
    for side in ("text_features", "image_features"):
        whole = getattr(encoder, side)
        limited = lambda *rows, whole=whole: (fits(4, [])(range(len(rows[0]))), whole(*rows))[1]  # noqa: E731
        monkeypatch.setattr(encoder, side, limited)
    assert np.array_equal(encoder.encode_texts(texts()).features, wanted.encode_texts(texts()).features)
    assert np.array_equal(encoder.encode_images(pictures()), wanted.encode_images(pictures()))
    assert encoder.halved == {"batches": {"asked": 32, "used": {"4": 51}}}
    assert wanted.halved == {}
    record("out of memory while drawing or encoding", 2)


def test_pictures_are_the_same_in_halved_batches(tmp_path, monkeypatch):
    """Bit for bit on the CPU; the record of each says in which batch it was drawn."""
    made = tmp_path / "made"
    tiny_pipelines.sd3(made / "sd3")
    write_queries(made / "q.parquet", QUERIES, {"stage": "test"})
    wanted = tmp_path / "wanted" / "shard.tar"
    call(made, wanted, monkeypatch, batch_size=4)
    load = diffusers.load_pipeline

    def load_limited(*arguments):
        pipeline = load(*arguments)

        def rows(_, given, named):
            fits(8, [])(named["hidden_states"])  # guidance doubles the rows

        pipeline.transformer.register_forward_pre_hook(rows, with_kwargs=True)
        return pipeline

    monkeypatch.setattr(diffusers, "load_pipeline", load_limited)
    found = tmp_path / "found" / "shard.tar"
    call(made, found, monkeypatch, batch_size=16)
    drawn = {picture.key: picture for picture in read_shard(found)}
    assert {key: one.data for key, one in drawn.items()} == {one.key: one.data for one in read_shard(wanted)}
    assert {one.meta["batch_size"] for one in drawn.values()} == {4}
    record("out of memory while drawing or encoding")
    assert json.dumps(record_of(made), sort_keys=True) == json.dumps(
        drawn["d0_r0_k1"].meta["options"], sort_keys=True
    )
