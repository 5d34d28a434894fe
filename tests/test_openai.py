import json
import random
import subprocess
import sys
import threading
import time

import pytest

from daitir.errors import DaitirError
from daitir.options import Options
from daitir.reformulators import ReformulatorOptions
from daitir.stages import reformulate
from daitir.tables import table_provenance
from tests import tiny
from tests.chat_server import ask, chat_server, echo, echoed, refuses, says

KEY = "sk-a-key-that-nobody-may-see-1234"


def test_each_message_is_asked_by_itself():
    """One user message a request, with our settings and what `extra_body` adds; a null in it takes away."""
    with chat_server(echo) as server:
        queries = ask(server, count=1, max_new_tokens=9, extra_body={"top_k": 1, "seed": None})
    assert [(q.query_text, q.prompts, q.answers) for q in queries] == [
        ("star 0!", ("star 0!!",), ("star 0!", "star 0!!"))
    ]
    assert server.requests[0].body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Rewrite this dialogue as one caption.\nstar 0"}],
        "max_tokens": 9,
        "temperature": 0.0,
        "top_k": 1,
    }


def test_requests_run_at_a_time_and_order_changes_nothing():
    """Three are under way together, and answers out of order make the queries of one by one."""
    together = threading.Barrier(3, timeout=10)

    def in_threes(request):
        together.wait()
        time.sleep(random.random() / 20)
        return echo(request)

    with chat_server(in_threes) as server:
        found = ask(server, count=6, concurrency=3)
    with chat_server(echo) as server:
        assert ask(server, count=6, concurrency=1) == found


def test_a_busy_server_is_asked_again_when_it_says():
    """429, then an answer: the pause is the server's own."""
    with chat_server(
        lambda r: refuses(429, "busy", **{"retry-after": "1"}) if r.number == 0 else echo(r)
    ) as server:
        begin = time.monotonic()
        assert ask(server, count=1, retries=1)
    assert time.monotonic() - begin >= 1
    assert len(server.requests) == 3


def test_an_answer_that_is_cut_off_is_asked_for_again():
    """With a seed of its own and some warmth, the same in every run."""
    with chat_server(lambda r: says("a red", "length") if r.body["temperature"] == 0 else echo(r)) as server:
        first = ask(server, count=1)
        assert ask(server, count=1) == first
        ask(server, count=1, seed=1)
    tries = [(r.body["seed"], r.body["temperature"]) for r in server.requests if r.message.endswith("star 0")]
    assert [warmth for _, warmth in tries] == [0.0, 0.7] * 3
    assert tries[:2] == tries[2:4]
    assert len(set(tries)) == 4


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (says("a red", "length"), "cut off after max_new_tokens"),
        (says(None), "empty"),
        (says("", reasoning_content="a red star"), "empty"),
        (says("half a", "content_filter"), "empty"),
        (says("<think>well</think> a star"), "chat markup"),
    ],
)
def test_an_answer_that_stays_useless_is_refused_by_name(reply, reason):
    """Cut off, empty, withheld; what the model thought does not count."""
    with (
        chat_server(lambda _: reply) as server,
        pytest.raises(
            DaitirError, match=f"to 4 of 4 requests for query texts in 2 attempts; .* d0_r0, {reason}"
        ),
    ):
        ask(server, attempts=2)
    assert len(server.requests) == 8


def test_address_and_key_leave_no_trace(tmp_path, monkeypatch, capfd):
    """Two servers, two keys, one file."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with chat_server(echo) as one:
        first = written(one, tmp_path / "one.parquet", monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", KEY[::-1])
    with chat_server(echo) as other:
        assert written(other, tmp_path / "other.parquet", monkeypatch, concurrency=1) == first
    told = "".join(capfd.readouterr()) + json.dumps(table_provenance(tmp_path / "one.parquet"))
    assert not [secret for secret in (KEY, KEY[::-1], one.url, other.url) if secret in told]
    assert KEY.encode() not in first


def written(server, output, monkeypatch, **how):
    """Run the stage as the workflow does; return the bytes of its output."""
    record = {"code": "r", "reformulator": {"kind": "openai", "model": "tiny"}, "rounds": {"rounds": 2}}
    line = [
        "--options",
        json.dumps(record),
        "--how",
        json.dumps({"reformulator": {"base_url": server.url} | how}),
    ]
    line += ["--dialogues", output.parent / "d.parquet", "--shard", "0-of-1", "--output", output]
    tiny.dialogues(output.parent / "d.parquet")
    monkeypatch.setattr(
        sys, "argv", ["reformulate", *map(str, line), "--scratch", str(output.parent / "scratch")]
    )
    reformulate.main()
    return output.read_bytes()


def test_what_was_answered_is_not_asked_again(tmp_path):
    """A server that dies leaves the answers so far, those on their way too."""
    with (
        chat_server(lambda r: echo(r) if r.number < 5 else refuses(401, "no")) as server,
        pytest.raises(DaitirError),
    ):
        ask(server, tmp_path, count=12, concurrency=2)
    kept = [text for path in tmp_path.iterdir() for text in json.loads(path.read_text()).values()]
    assert sorted(kept) == sorted(echoed(r) for r in server.requests[:5])
    with chat_server(echo) as again:
        ask(again, tmp_path, count=12)
    assert not {r.message for r in server.requests[:5]} & {r.message for r in again.requests}


class Reformulators(Options):
    """The part of a config that holds them."""

    reformulators: dict[str, ReformulatorOptions]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"api_key_env": KEY}, "reformulators.llm: api_key_env is the NAME of the environment variable"),
        ({"base_url": f"http://me:{KEY}@host/v1"}, "reformulators.llm: base_url holds more than an address"),
        ({"base_url": f"http://host/v1?key={KEY}"}, "reformulators.llm: base_url holds more than an address"),
        ({"base_url": "host:8000"}, "reformulators.llm: base_url is no address"),
        ({"extra_body": KEY}, "extra_body is no mapping of fields"),
        ({"extra_body": {"api_key": KEY}}, "extra_body holds 'api_key', which may be a secret"),
        ({"extra_body": {"a": [{"X-Auth": KEY}]}}, "extra_body holds 'X-Auth', which may be a secret"),
        ({"extra_body": {"extra_headers": {"x": KEY}}}, "extra_body holds 'extra_headers', which may be"),
        ({"extra_body": {"authTokens": KEY}}, "extra_body holds 'authTokens', which may be"),
        ({"extra_body": {"hf_token": KEY}}, "extra_body holds 'hf_token', which may be"),
        ({"extra_body": {"model": "x", "n": 2}}, "reformulators.llm: extra_body cannot hold model, n"),
    ],
)
def test_no_key_stands_in_the_config(settings, message):
    """Nor in the error that says so."""
    options = {"kind": "openai", "model": "tiny", "base_url": "http://host/v1"} | settings
    with pytest.raises(DaitirError, match=message) as error:
        Reformulators.parse({"reformulators": {"llm": options}}, "config")
    assert KEY not in str(error.value)


def test_fields_about_tokens_of_text_are_no_secrets():
    """Those of the server's own words, at any depth."""
    fields = {"max_completion_tokens": 9, "stop_token_ids": [2], "skip_special_tokens": True, "top_k": 1}
    fields |= {"logit_bias": {"17": -1}, "chat_template_kwargs": {"enable_thinking": False, "max_tokens": 3}}
    options = {"kind": "openai", "model": "tiny", "base_url": "http://host/v1", "extra_body": fields}
    found = Reformulators.parse({"reformulators": {"llm": options}}, "config").reformulators["llm"]
    assert found.extra_body == fields


def test_the_config_needs_no_client():
    """Planning imports neither the library nor what it brings."""
    code = "import sys, daitir.config; sys.exit(int(bool({'openai', 'httpx', 'httpx2'} & set(sys.modules))))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
