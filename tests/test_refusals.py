import time

import pytest

from daitir.errors import DaitirError
from tests.chat_server import Reply, ask, chat_server, echo, refuses, says

KEY = "sk-a-key-that-nobody-may-see-1234"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_a_server_that_keeps_failing_is_refused():
    """After its retries, in one line."""
    with (
        chat_server(lambda _: refuses(500, "out of\nmemory")) as server,
        pytest.raises(DaitirError, match=r"fails \(500: out of memory\), with up to 1 retries: look into"),
    ):
        ask(server, count=1, retries=1)
    assert len(server.requests) == 2


def shows_key(status):
    """A server that repeats what it was sent."""
    return lambda request: refuses(status, f"who is {request.headers['authorization']}?" + "." * 400)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_the_key_is_taken_out_of_what_a_server_repeats(tmp_path, monkeypatch, capfd, status):
    """Whatever it refuses for."""
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    with chat_server(shows_key(status)) as server, pytest.raises(DaitirError) as error:
        ask(server, tmp_path, api_key_env="MY_KEY")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert f"{status}: who is Bearer [key]?" in str(error.value)
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY not in "".join([str(error.value), repr(error.value), written, *capfd.readouterr()])


def test_an_answer_that_holds_the_key_is_no_answer(tmp_path, monkeypatch):
    """It would be written into the queries."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with (
        chat_server(lambda r: says(r.headers["authorization"])) as server,
        pytest.raises(DaitirError, match=r"no chat completion \(Bearer \[key\]\)"),
    ):
        ask(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_keys_gets_none():
    """One that wants a key says so, with the name of the variable."""
    with chat_server(echo) as server:
        ask(server, count=1)
    assert server.requests[0].headers["authorization"] == "Bearer no-key-needed"
    with (
        chat_server(lambda _: refuses(401, "no")) as server,
        pytest.raises(DaitirError, match="it wants a key; put it into the environment variable MY_KEY"),
    ):
        ask(server, api_key_env="MY_KEY")


def test_a_key_that_is_none_is_refused(monkeypatch):
    """Without showing it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ä")
    with chat_server(echo) as server, pytest.raises(DaitirError, match="OPENAI_API_KEY holds") as error:
        ask(server)
    assert "sk-" not in str(error.value)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            refuses(404, "no such model"),
            r"does not know model tiny \(404: .*: set `model` to one it has: large, small",
        ),
        (
            refuses(400, "context length is 10"),
            "d0_r0: server .* refuses the request .*: lower `max_new_tokens`",
        ),
        (
            Reply({"detail": "Unexpected field"}, 422),
            "d0_r0: .*422: Unexpected field.*mend `model` or `extra_body`",
        ),
        (Reply("<html>hello"), "no chat completion .*<html>hello.*usually ends in /v1"),
        (Reply({"choices": []}), "no chat completion .* is `base_url` right"),
    ],
)
def test_what_a_server_refuses_is_one_line(reply, message):
    """Its own words and what to do."""
    with (
        chat_server(lambda _: reply, models=("small", "large")) as server,
        pytest.raises(DaitirError, match=message),
    ):
        ask(server, count=1)


def test_a_slow_server_is_not_waited_for():
    """Longer than `timeout`."""
    with (
        chat_server(lambda r: time.sleep(1.5) or echo(r)) as server,
        pytest.raises(DaitirError, match=r"no answer within 0\.3 seconds"),
    ):
        ask(server, count=1, timeout=0.3)


def test_a_server_that_is_not_there_is_named():
    """With its address."""
    with chat_server(echo) as server:
        pass
    with pytest.raises(DaitirError, match=rf"server {server.url} cannot be reached .*: start it or mend"):
        ask(server)
