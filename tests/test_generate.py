import io
import json
import sys
import threading

import pytest
from PIL import Image

from daitir.errors import DaitirError
from daitir.generators import image_seed
from daitir.generators.diffusers import DiffusersGenerator
from daitir.queries import Query, write_queries
from daitir.shards import read_shard, shard_provenance
from daitir.stages import generate
from tests import tiny_pipelines

QUERIES = [
    Query("d0", 0, "star", ("a red star", "a star of red")),
    Query("d0", 1, "star", ("a red star", "a large star of red")),
    Query("d1", 0, "tree", ("a tree", "a tree")),
    Query("d2", 0, "sky", ("the sky", "a blue sky")),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    tiny_pipelines.sd3(root / "sd3")
    write_queries(root / "q.parquet", QUERIES, {"stage": "test"})
    return root


def record_of(made, **settings):
    generator = {
        "model": str(made / "sd3"),
        "steps": 2,
        "guidance": 2.0,
        "height": 16,
        "width": 16,
        "images": 2,
        "seed": 5,
        "max_sequence_length": 1,
    }
    return {"code": "revision-1", "digests": {"model": "ab"}, "generator": generator | settings}


def call(made, output, monkeypatch, record=None, queries="q.parquet", known=(), **how):
    """Run the stage as the workflow does."""
    arguments = {
        "options": json.dumps(record or record_of(made)),
        "how": json.dumps({"generator": {"device": "cpu", "batch_size": 2} | how}),
        "queries": made / queries,
        "scratch": output.parent / "scratch",
        "output": output,
    }
    line = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    line += ["--known", *map(str, known)] if known else []
    monkeypatch.setattr(sys, "argv", ["generate", *line])
    generate.main()
    return output.read_bytes()


def test_every_query_gets_its_pictures(made, tmp_path, monkeypatch):
    """K pictures a query, each with its prompt, seed and options; the scratch folder is gone."""
    call(made, tmp_path / "i.tar", monkeypatch)
    pictures = list(read_shard(tmp_path / "i.tar"))
    assert [p.key for p in pictures] == [f"{q.key}_k{k}" for q in QUERIES for k in (1, 2)]
    for picture, (query, k) in zip(pictures, [(q, k) for q in QUERIES for k in (1, 2)], strict=True):
        prompt = query.prompts[k - 1]
        wanted = {"prompt": prompt, "k": k, "seed": image_seed(5, prompt, k), "cut": False}
        assert picture.meta == wanted | {"options": record_of(made)}
        assert Image.open(io.BytesIO(picture.data)).size == (16, 16)
    who = shard_provenance(tmp_path / "i.tar")
    assert (who["stage"], list(who["inputs"])) == ("generate", ["queries"])
    assert who["prompts"] == {"all": 6, "cut": 0}
    assert not (tmp_path / "scratch").exists()


def test_equal_prompts_of_one_k_are_drawn_once(made, tmp_path, monkeypatch):
    """Seven for eight: rounds 0 and 1 share their first, but a prompt under two k is two pictures."""
    drawn, draw = [], DiffusersGenerator._draw

    def counted(self, orders, embeddings):
        drawn.extend(dict.fromkeys(orders))
        return draw(self, orders, embeddings)

    monkeypatch.setattr(DiffusersGenerator, "_draw", counted)
    call(made, tmp_path / "i.tar", monkeypatch)
    assert len(drawn) == 7
    pictures = {p.key: p.data for p in read_shard(tmp_path / "i.tar")}
    assert pictures["d0_r0_k1"] == pictures["d0_r1_k1"]
    assert pictures["d1_r0_k1"] != pictures["d1_r0_k2"]


def test_prompts_that_are_cut_are_counted(made, tmp_path, monkeypatch):
    """Once for each prompt, and told by each picture."""
    queries = [Query("d0", round_, "star", ("star " * 30, "star")) for round_ in (0, 1)]
    write_queries(made / "long.parquet", queries, {"stage": "test"})
    call(made, tmp_path / "i.tar", monkeypatch, queries="long.parquet")
    assert shard_provenance(tmp_path / "i.tar")["prompts"] == {"all": 2, "cut": 1}
    assert [p.meta["cut"] for p in read_shard(tmp_path / "i.tar")] == [True, False, True, False]


def test_shards_and_batches_change_no_picture(made, tmp_path, monkeypatch):
    """A shard of its own, other batches: the same bytes of every picture."""
    call(made, tmp_path / "whole.tar", monkeypatch)
    whole = {p.key: p for p in read_shard(tmp_path / "whole.tar")}
    write_queries(made / "part.parquet", QUERIES[2:], {"stage": "test"})
    call(made, tmp_path / "part.tar", monkeypatch, queries="part.parquet", batch_size=16)
    assert all(whole[p.key] == p for p in read_shard(tmp_path / "part.tar"))


def test_a_killed_job_goes_on_byte_for_byte(made, tmp_path, monkeypatch):
    """Killed in its third batch, it draws only what is missing and writes the same file."""
    wanted = call(made, tmp_path / "whole" / "i.tar", monkeypatch)
    begun, draw = [], DiffusersGenerator._draw

    def killed(self, orders, embeddings):
        begun.append(set(orders))
        if len(begun) == 3:
            raise KeyboardInterrupt
        return draw(self, orders, embeddings)

    with monkeypatch.context() as patched:
        patched.setattr(DiffusersGenerator, "_draw", killed)
        with pytest.raises(KeyboardInterrupt):
            call(made, tmp_path / "i.tar", patched)
        assert not (tmp_path / "i.tar").exists()
        assert call(made, tmp_path / "i.tar", patched) == wanted
    assert not (begun[0] | begun[1]) & set().union(*begun[3:])


class OnAccelerator:
    """A generator that says it draws on an accelerator; ``log`` tells when a batch is drawn."""

    device = "cuda"

    def __init__(self, options, log):
        self.own, self.log = DiffusersGenerator(options), log

    def draw(self, orders):
        for batch in self.own.draw(orders):
            self.log.append("drawn")
            yield batch

    def __getattr__(self, name):
        return getattr(self.own, name)


def test_an_accelerator_draws_on_while_a_batch_is_stored(made, tmp_path, monkeypatch):
    """The first batch is stored when the second has been drawn; the shard is the same."""
    wanted = call(made, tmp_path / "whole" / "i.tar", monkeypatch)
    second, write = threading.Event(), generate.write_shard

    def write_late(path, *rest):
        if "scratch" in path.parts and "stored" not in log:
            assert second.wait(60)
        write(path, *rest)
        log.append("stored")

    class Log(list):
        def append(self, what):
            super().append(what)
            if self.count("drawn") == 2:
                second.set()

    log = Log()
    monkeypatch.setattr(generate, "load_generator", lambda options: OnAccelerator(options, log))
    monkeypatch.setattr(generate, "write_shard", write_late)
    assert call(made, tmp_path / "i.tar", monkeypatch) == wanted
    assert log[:3] == ["drawn", "drawn", "stored"]


@pytest.mark.parametrize(("format_", "name"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_pictures_are_stored_as_asked(made, tmp_path, monkeypatch, format_, name):
    """Format and size of what is kept."""
    call(made, tmp_path / "i.tar", monkeypatch, record_of(made, format=format_, stored_size=8))
    picture = next(read_shard(tmp_path / "i.tar"))
    image = Image.open(io.BytesIO(picture.data))
    assert (picture.format, image.format, image.size) == (format_, name, (8, 8))


def test_too_few_prompts_are_refused(made, tmp_path, monkeypatch):
    """The query is named."""
    with pytest.raises(DaitirError, match="query d0_r0 has 2 prompts for 3 images"):
        call(made, tmp_path / "i.tar", monkeypatch, record_of(made, images=3))
