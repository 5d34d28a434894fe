import json
import sys

import pytest

from daitir.chat.answers import AnswerStore
from daitir.errors import DaitirError
from daitir.options import Options
from daitir.queries import read_queries, rounds_of
from daitir.stages import reformulate
from daitir.tables import table_provenance
from tests import tiny


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Dialogues, a chat model and templates that it can read."""
    root = tmp_path_factory.mktemp("made")
    (root / "query.jinja").write_text("{{ turns | join(', ') }}\n")
    (root / "prompt.jinja").write_text("{{ k }} {{ query }}\n")
    tiny.dialogues(root / "d.parquet")
    tiny.llama(root / "llama")
    return root


def record_of(made, prompts=2, **rounds):
    llm = {
        "kind": "transformers",
        "model": str(made / "llama"),
        "prompts": prompts,
        "query_template": str(made / "query.jinja"),
        "prompt_template": str(made / "prompt.jinja"),
        "max_new_tokens": 60,
        "attempts": 20,
    }
    return {"code": "revision-1", "reformulator": llm, "rounds": {"rounds": 3} | rounds}


def call(made, output, monkeypatch, record=None, shard="0-of-1", **how):
    """Run the stage as the workflow does."""
    arguments = {
        "options": json.dumps(record or record_of(made)),
        "how": json.dumps({"reformulator": {"device": "cpu", "batch_size": 4} | how}),
        "dialogues": made / "d.parquet",
        "shard": shard,
        "scratch": output.parent / "scratch",
        "output": output,
    }
    line = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["reformulate", *line])
    reformulate.main()
    return output.read_bytes()


def test_every_round_gets_a_query_and_prompts(made, tmp_path, monkeypatch):
    """One row a dialogue and round, with who made it; the scratch folder is gone."""
    call(made, tmp_path / "q.parquet", monkeypatch)
    queries = read_queries(tmp_path / "q.parquet")
    assert [q.key for q in queries] == [f"d{d}_r{r}" for d in range(5) for r in range(3)]
    assert all(q.query_text and len(q.prompts) == 2 and len(q.answers) == 3 for q in queries)
    who = table_provenance(tmp_path / "q.parquet")
    assert who["options"] == record_of(made)
    assert list(who["inputs"]) == ["dialogues"]
    assert not (tmp_path / "scratch").exists()


def test_shards_and_batches_change_no_query(made, tmp_path, monkeypatch):
    """Two shards in other batches hold what one shard holds."""
    call(made, tmp_path / "whole.parquet", monkeypatch)
    shards = [tmp_path / f"{s}.parquet" for s in range(2)]
    for s, path in enumerate(shards):
        call(made, path, monkeypatch, shard=f"{s}-of-2", batch_size=7)
    assert read_queries(*shards) == read_queries(tmp_path / "whole.parquet")


def test_a_killed_job_goes_on_byte_for_byte(made, tmp_path, monkeypatch):
    """Killed after its third batch, it asks no message twice and writes the same file."""
    wanted = call(made, tmp_path / "whole" / "q.parquet", monkeypatch)
    asked, add = [], AnswerStore.add

    def counted(store, answers):
        if answers and len(asked) == 3:
            raise KeyboardInterrupt
        add(store, answers)
        asked.append(set(answers))

    monkeypatch.setattr(AnswerStore, "add", counted)
    with pytest.raises(KeyboardInterrupt):
        call(made, tmp_path / "q.parquet", monkeypatch)
    assert not (tmp_path / "q.parquet").exists()
    before = set().union(*asked)
    assert before
    asked.append(set())  # no longer the third
    assert call(made, tmp_path / "q.parquet", monkeypatch) == wanted
    assert not before & set().union(*asked[4:])


def test_some_rounds_of_a_dialogue_are_drawn_by_its_name(made, tmp_path, monkeypatch):
    """With ``rounds_per_dialogue`` only those are reformulated."""
    call(made, tmp_path / "q.parquet", monkeypatch, record_of(made, rounds_per_dialogue=1))
    found = [(q.dialogue_id, [q.round]) for q in read_queries(tmp_path / "q.parquet")]
    assert found == [(f"d{d}", rounds_of(f"d{d}", 3, 1)) for d in range(5)]


def test_join_needs_no_model(made, tmp_path, monkeypatch):
    """The raw dialogue goes through the same stage."""
    record = {"code": "r", "reformulator": {"kind": "join", "prompts": 1}, "rounds": {"rounds": 2}}
    call_join(made, tmp_path / "q.parquet", monkeypatch, record)
    [first, second, *_] = read_queries(tmp_path / "q.parquet")
    assert second.query_text.startswith(f"{first.query_text}, ")


def call_join(made, output, monkeypatch, record):
    line = ["--options", json.dumps(record), "--dialogues", made / "d.parquet", "--shard", "0-of-1"]
    monkeypatch.setattr(
        sys,
        "argv",
        ["reformulate", *map(str, [*line, "--scratch", output.parent / "scratch", "--output", output])],
    )
    reformulate.main()


def test_more_rounds_than_turns_are_refused(made, tmp_path, monkeypatch):
    """The dialogue is named."""
    with pytest.raises(DaitirError, match="dialogue 'd0' has 3 turns for 4 rounds"):
        call(made, tmp_path / "q.parquet", monkeypatch, record_of(made, rounds=4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "magic"}, "reformulator"),
        ({"promts": 3}, "reformulator.promts: unknown key"),
        ({"prompts": 0}, "reformulator.prompts: .* greater than or equal to 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(made, tmp_path, monkeypatch, change, message):
    """By the path of their key."""
    record = record_of(made)
    record["reformulator"] |= change
    with pytest.raises(DaitirError, match=message):
        call(made, tmp_path / "q.parquet", monkeypatch, record)
    assert issubclass(reformulate.ReformulateOptions, Options)
