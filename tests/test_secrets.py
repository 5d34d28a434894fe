"""Keys come from the environment and go into no file, log, parameter, report or error."""

import base64
import json
import sys
from pathlib import Path

import pytest
import yaml

from daitir.config import ConfigError, load_config
from daitir.dialogues import Dialogue, write_dialogues
from daitir.errors import exit_with_one_line
from daitir.stages.reformulate import main
from tests.chat_server import TEMPLATES, Reply, chat_server, echo, refuses, says

ROOT = Path(__file__).parents[1]
KEYS = {
    "MY_KEY": "sk-planted-aaaa-1111-KeyOfTheServer",
    "OPENAI_API_KEY": "sk-planted-bbbb-2222-KeyOfAnotherServer",
    "OPENAI_ADMIN_KEY": "sk-planted-cccc-3333-KeyOfAnAdmin",
    "HF_TOKEN": "hf_plantedDDDD4444TokenOfTheHub",
    "HUGGING_FACE_HUB_TOKEN": "hf_plantedEEEE5555OldTokenOfTheHub",
}
OPENAI = {"kind": "openai", "model": "tiny", "base_url": "http://localhost:8000/v1", "prompts": 2}
TEXTS = {f"{name}_template": str(TEMPLATES / f"mini-{name}.jinja") for name in ("query", "prompt")}


def spellings(key):
    """A key as it stands, parts of it that are too long for chance, and as headers are encoded."""
    plain = [key, key[:16], key[8:24], key[-16:]]
    coded = [base64.b64encode(b"x" * pad + key.encode()).decode()[4:-4] for pad in range(3)]
    return [text.encode() for text in [*plain, *coded]]


def gives_away(data, keys=KEYS):
    """The variables whose keys stand in some bytes."""
    lower = data.lower()
    return [name for name, key in keys.items() if any(one.lower() in lower for one in spellings(key))]


def files_that_give_away(folder):
    """Every file below a folder that holds a key, or is named by one; links are not followed."""
    found = {}
    for path in folder.rglob("*"):
        told = gives_away(str(path.relative_to(folder)).encode())
        told += gives_away(path.read_bytes()) if path.is_file() and not path.is_symlink() else []
        if told:
            found[str(path)] = told
    return found


def test_a_key_is_seen_in_whatever_spelling():
    """So the tests below see what they look for."""
    key = KEYS["MY_KEY"]
    encoded = base64.b64encode(f"Bearer {key}".encode()).decode()
    for text in (key, f"x{key[:16]}", f"{key[-16:]}y", key.upper(), encoded):
        assert gives_away(text.encode()) == ["MY_KEY"]
    assert gives_away(b"MY_KEY, OPENAI_API_KEY and HF_TOKEN are names") == []


def sent(request):
    """All that came with a request, as a server that is being mended may print it."""
    return "\n".join(f"{name}: {value}" for name, value in request.headers.items())


def sometimes(reply):
    """A server that answers some requests well, and the others like this."""
    return lambda request: reply(request) if request.number % 3 else echo(request)


BEHAVIOURS = {
    "answers well": echo,
    "lets nobody in": lambda request: refuses(401, f"who is {sent(request)}"),
    "forbids": lambda request: refuses(403, sent(request)),
    "does not know": lambda request: refuses(404, sent(request)),
    "refuses": lambda request: refuses(400, f"{'long ' * 55}{sent(request)}"),
    "has too much to do": lambda request: refuses(429, sent(request)),
    "breaks down": lambda request: refuses(500, sent(request)),
    "breaks down with a page": lambda request: Reply(f"<pre>{sent(request)}</pre>", 500),
    "breaks down with the header": lambda request: Reply({"headers": request.headers}, 502),
    "tells in its own headers": lambda request: refuses(500, "no", echoed=request.headers["authorization"]),
    "sends elsewhere": lambda request: Reply({}, 302, {"location": f"/{request.headers['authorization']}"}),
    "is no chat": lambda request: Reply({"echo": request.headers}),
    "is no JSON": lambda request: Reply(sent(request)),
    "answers with the key": lambda request: says(request.headers["authorization"]),
    "answers with a part of the key": lambda request: says(f"a {request.headers['authorization'][7:27]}"),
    "answers with a reason": lambda request: says("a star", request.headers["authorization"]),
    "answers in pieces": lambda request: says("<|im_end|>" + request.headers["authorization"]),
    "breaks down at times": sometimes(lambda request: refuses(500, sent(request))),
}


@pytest.fixture
def keys(monkeypatch):
    """An environment with keys for everything."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


def reformulate(folder, url, monkeypatch):
    """Run the stage on six captions, in this process; return whether it came to its end."""
    dialogues = [Dialogue(f"d{n}", f"{n}.png", (f"star {n}",), n) for n in range(6)]
    write_dialogues(folder / "d.parquet", dialogues, {"stage": "test"})
    model = {"kind": "openai", "model": "tiny", "prompts": 1} | TEXTS
    options = {"code": "1", "reformulator": model, "rounds": {"rounds": 1}}
    how = {"base_url": url, "api_key_env": "MY_KEY", "retries": 1, "concurrency": 2, "attempts": 1}
    paths = {"dialogues": "d.parquet", "scratch": "scratch", "output": "q.parquet"}
    words = ["--options", json.dumps(options), "--how", json.dumps({"reformulator": how})]
    words += ["--shard", "0-of-1"]
    for name, file in paths.items():
        words += [f"--{name}", str(folder / file)]
    monkeypatch.setattr(sys, "argv", ["reformulate", *words])
    try:
        exit_with_one_line(main)
    except SystemExit as ended:
        print(ended.code)
        return False
    return True


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_no_server_brings_a_key_into_a_file_or_a_log(behaviour, keys, tmp_path, monkeypatch, capfd):
    """However it answers; and it is sent the one key that is for it."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    with chat_server(BEHAVIOURS[behaviour]) as server:
        came_to_its_end = reformulate(tmp_path, server.url, monkeypatch)
    assert came_to_its_end == (behaviour in {"answers well", "answers with a reason"})
    assert gives_away(repr([request.headers for request in server.requests]).encode()) == ["MY_KEY"]
    assert gives_away("".join(capfd.readouterr()).encode()) == []
    assert files_that_give_away(tmp_path) == {}


def test_a_server_that_is_not_there_learns_and_tells_nothing(keys, tmp_path, monkeypatch, capfd):
    """A connection that is refused."""
    with chat_server(echo) as server:
        pass
    assert not reformulate(tmp_path, server.url, monkeypatch)
    said = "".join(capfd.readouterr())
    assert "cannot be reached" in said
    assert gives_away(said.encode()) == []
    assert files_that_give_away(tmp_path) == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": KEYS["MY_KEY"]},
        {"api_key_env": KEYS["MY_KEY"]},
        {"api_key_env": KEYS["HF_TOKEN"]},
        {"base_url": f"http://user:{KEYS['MY_KEY']}@localhost/v1"},
        {"base_url": f"http://localhost/v1?key={KEYS['MY_KEY']}"},
        {"extra_body": {"headers": {"authorization": KEYS["MY_KEY"]}}},
        {"extra_body": {"deep": [{"api_key": KEYS["MY_KEY"]}]}},
        {"extra_body": {"authorization": KEYS["MY_KEY"]}, "api_key_env": "MY_KEY"},
    ],
)
def test_a_key_in_the_config_is_refused_and_not_repeated(settings):
    """A config is copied, committed and sent around."""
    values = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    values["reformulators"]["llm"] = OPENAI | settings
    with pytest.raises(ConfigError) as caught:
        load_config(values)
    assert gives_away(str(caught.value).encode()) == []
