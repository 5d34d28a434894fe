import json
import sys
from dataclasses import replace

import pytest

from daitir.chat.transformers import TransformersChat
from daitir.dialogues import read_dialogues, write_dialogues
from daitir.errors import DaitirError
from daitir.queries import read_queries, write_queries
from daitir.stages import reformulate
from daitir.tables import table_provenance
from tests import tiny


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two dialogue sets with the same captions, a chat model, templates that it can read."""
    root = tmp_path_factory.mktemp("made")
    (root / "query.jinja").write_text("{{ turns | join(', ') }}\n")
    (root / "prompt.jinja").write_text("{{ k }} {{ query }}\n")
    one = tiny.dialogues(root / "one.parquet")
    other = [replace(dialogue, turns=(dialogue.turns[0], "is it red? yes", "no")) for dialogue in one]
    write_dialogues(root / "other.parquet", other, {"stage": "test"})
    tiny.llama(root / "llama")
    return root


def call(made, output, monkeypatch, dialogues, *known, rounds=3, shard="0-of-1", prompts=2):
    """Run the stage as the workflow does."""
    llm = {
        "kind": "transformers",
        "model": str(made / "llama"),
        "prompts": prompts,
        "query_template": str(made / "query.jinja"),
        "prompt_template": str(made / "prompt.jinja"),
        "max_new_tokens": 60,
    }
    record = {"code": "revision-1", "reformulator": llm, "rounds": {"rounds": rounds}}
    line = ["--options", json.dumps(record), "--dialogues", made / f"{dialogues}.parquet", "--shard", shard]
    how = {"reformulator": {"device": "cpu", "batch_size": 4, "attempts": 20}}
    line += ["--how", json.dumps(how), "--scratch", output.parent / "scratch", "--output", output]
    line += ["--released", "--known", *known]  # as the workflow does, empty or not
    monkeypatch.setattr(sys, "argv", ["reformulate", *map(str, line)])
    reformulate.main()
    return output.read_bytes()


@pytest.mark.parametrize("count", [3, 1])
def test_round_0_of_another_set_is_taken_over(made, tmp_path, monkeypatch, count):
    """The same file as without it, however the other set is split; what is known is not asked again."""
    whole = call(made, tmp_path / "whole.parquet", monkeypatch, "other")
    known = [tmp_path / f"{s}.parquet" for s in range(count)]
    for s, path in enumerate(known):
        call(made, path, monkeypatch, "one", rounds=2, shard=f"{s}-of-3")
    asked, answer = set(), TransformersChat.answer

    def watched(chat, messages, attempt):
        asked.update(messages)
        return answer(chat, messages, attempt)

    monkeypatch.setattr(TransformersChat, "answer", watched)
    assert call(made, tmp_path / "q.parquet", monkeypatch, "other", *known) == whole
    taken = {query.dialogue_id for query in read_queries(*known)}
    captions = {d.turns[0]: d.dialogue_id in taken for d in read_dialogues(made / "one.parquet")}
    assert {caption: caption not in asked for caption in captions} == captions


def test_no_model_is_loaded_when_all_is_known(made, tmp_path, monkeypatch):
    """A set of one round is taken over whole."""
    wanted = call(made, tmp_path / "one.parquet", monkeypatch, "one", rounds=1)
    call(made, tmp_path / "known.parquet", monkeypatch, "one")
    monkeypatch.setattr(reformulate, "load_reformulator", None)
    assert call(made, tmp_path / "q.parquet", monkeypatch, "other", tmp_path / "known.parquet", rounds=1)
    assert read_queries(tmp_path / "q.parquet") == read_queries(tmp_path / "one.parquet")
    assert (
        call(made, tmp_path / "q.parquet", monkeypatch, "one", tmp_path / "known.parquet", rounds=1) == wanted
    )


def test_queries_of_other_versions_are_made_again(made, tmp_path, monkeypatch, capsys):
    """The record of the new file names the versions of now."""
    known = tmp_path / "known.parquet"
    wanted = call(made, known, monkeypatch, "one", rounds=1)
    old = [replace(query, query_text="old") for query in read_queries(known)]
    write_queries(known, old, table_provenance(known) | {"versions": {"torch": "1.0"}})
    assert call(made, tmp_path / "q.parquet", monkeypatch, "one", known, rounds=1) == wanted
    assert "known.parquet was made by other versions: not taken" in capsys.readouterr().err


def test_queries_made_otherwise_are_refused(made, tmp_path, monkeypatch):
    """With more prompts, say; both files are named."""
    call(made, tmp_path / "known.parquet", monkeypatch, "one", prompts=3)
    with pytest.raises(
        DaitirError, match=r"the reformulation differs between .*known.parquet and .*q.parquet"
    ):
        call(made, tmp_path / "q.parquet", monkeypatch, "other", tmp_path / "known.parquet")
