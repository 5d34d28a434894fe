import pytest

from daitir.errors import DaitirError
from daitir.generators.diffusers import DiffusersGenerator
from daitir.queries import Query, write_queries
from daitir.shards import read_shard, shard_provenance, write_shard
from tests import tiny_pipelines
from tests.test_generate import QUERIES, call, record_of

# Another set of the same dialogues: round 0 is that of QUERIES but for d2, whose prompts differ.
OTHERS = [
    Query("d0", 0, "star", ("a red star", "a star of red")),
    Query("d0", 1, "star", ("a star on the left", "a star at dusk")),
    Query("d1", 0, "tree", ("a tree", "a tree")),
    Query("d2", 0, "sea", ("the sea", "a blue sea")),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    tiny_pipelines.sd3(root / "sd3")
    for name, queries in {"q": QUERIES, "others": OTHERS, "round_0": OTHERS[:1] + OTHERS[2:3]}.items():
        write_queries(root / f"{name}.parquet", queries, {"stage": "test"})
    with pytest.MonkeyPatch.context() as patched:
        call(made=root, output=root / "known" / "i.tar", monkeypatch=patched)
    return root


@pytest.fixture
def drawn(monkeypatch):
    """The prompts that are really drawn."""
    prompts, draw = [], DiffusersGenerator.draw

    def noted(self, orders):
        prompts.extend(order.prompt for order in orders)
        return draw(self, orders)

    monkeypatch.setattr(DiffusersGenerator, "draw", noted)
    return prompts


def test_known_pictures_are_not_drawn_again(made, tmp_path, monkeypatch, drawn):
    """Round 0 is taken where prompt, k and seed are the same; the bytes are as without it."""
    wanted = call(made, tmp_path / "alone" / "i.tar", monkeypatch, queries="others.parquet")
    drawn.clear()
    shared = call(
        made, tmp_path / "i.tar", monkeypatch, queries="others.parquet", known=[made / "known" / "i.tar"]
    )
    assert sorted(drawn) == ["a blue sea", "a star at dusk", "a star on the left", "the sea"]
    assert shared == wanted


def test_a_shard_of_known_pictures_loads_no_model(made, tmp_path, monkeypatch):
    """When nothing is left to draw, a generator that cannot be loaded is not missed."""
    wanted = call(made, tmp_path / "alone" / "i.tar", monkeypatch, queries="round_0.parquet")

    def fail(self, options):
        raise AssertionError("the generator was loaded")

    monkeypatch.setattr(DiffusersGenerator, "__init__", fail)
    known = [made / "known" / "i.tar"]
    assert call(made, tmp_path / "i.tar", monkeypatch, queries="round_0.parquet", known=known) == wanted


def test_known_pictures_of_other_options_are_refused(made, tmp_path, monkeypatch):
    """They would be a mix."""
    with pytest.raises(DaitirError, match=r"how pictures are drawn differs between .*i\.tar"):
        call(
            made, tmp_path / "i.tar", monkeypatch, record_of(made, steps=3), known=[made / "known" / "i.tar"]
        )
    assert not (tmp_path / "i.tar").exists()


def test_known_pictures_of_other_versions_are_drawn_again(made, tmp_path, monkeypatch, drawn, capsys):
    """The record of the new file would be wrong about them."""
    record = shard_provenance(made / "known" / "i.tar")
    write_shard(
        tmp_path / "old.tar", read_shard(made / "known" / "i.tar"), record | {"versions": {"torch": "1.0"}}
    )
    call(made, tmp_path / "i.tar", monkeypatch, queries="round_0.parquet", known=[tmp_path / "old.tar"])
    assert len(drawn) == 4
    assert "was made by other versions: not taken" in capsys.readouterr().err


def test_a_known_shard_that_is_not_there_or_is_none_is_named(made, tmp_path, monkeypatch):
    """Not taken for one without pictures."""
    with pytest.raises(DaitirError, match=r"gone\.tar does not exist"):
        call(made, tmp_path / "i.tar", monkeypatch, known=[tmp_path / "gone.tar"])
    (tmp_path / "bad.tar").write_bytes(b"no tar" * 100)
    with pytest.raises(DaitirError, match=r"bad\.tar is damaged"):
        call(made, tmp_path / "i.tar", monkeypatch, known=[tmp_path / "bad.tar"])
