"""A whole run with a model behind a server: its key is in nothing that was written."""

import pytest

from tests.chat_server import chat_server, echo, refuses
from tests.test_secrets import KEYS, files_that_give_away, gives_away
from tests.workflow.few import about_few, draw_few


@pytest.fixture
def config(smoke):
    """The smoke config with queries of a server and nothing drawn."""
    values = smoke()
    del values["fusions"]
    texts = values["reformulators"]["llm"]
    kept = {name: texts[name] for name in ("prompts", "query_template", "prompt_template")}
    values["reformulators"] = {"llm": kept | {"kind": "openai", "model": "tiny", "api_key_env": "MY_KEY"}}
    values["generators"] = {}
    values["systems"] = {"text": {"encoder": "blip", "queries": "llm", "method": "text"}}
    values["dialogues"] = {"few-val": values["dialogues"]["few-val"] | {"shards": 1}}
    return about_few(values)


@pytest.fixture
def keys(monkeypatch):
    """An environment with keys for everything."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


def serve(config, url):
    config["reformulators"]["llm"] |= {"base_url": url, "retries": 0}
    return config


def test_a_run_leaves_no_key_behind(run_folder, config, keys):
    """Neither one that fails, whose server repeats the key, nor the one that goes on from there."""
    draw_few(run_folder.folder)
    with chat_server(lambda request: refuses(401, f"wrong key {request.headers}")) as server:
        failed = run_folder.snakemake("--cores", "2", "--show-failed-logs", config=serve(config, server.url))
    assert failed.returncode != 0
    assert "lets nobody in" in failed.stdout + failed.stderr
    assert gives_away((failed.stdout + failed.stderr).encode()) == []
    loud = ("--cores", "2", "--printshellcmds", "--verbose")
    with chat_server(echo) as server:
        said = run_folder.run(*loud, config=serve(config, server.url))
    assert gives_away(said.encode()) == []
    written = {path.name for path in run_folder.folder.rglob("*")}
    assert {"report.html", ".snakemake", "logs", "benchmarks", "explorer"} <= written
    assert files_that_give_away(run_folder.folder) == {}
