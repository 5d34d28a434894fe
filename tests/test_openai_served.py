"""The reformulator `openai` over a real server: `transformers serve` with mini's language model."""

import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.mini.talk import STYLES, hold_dialogue
from daitir.mini.world import draw_scene
from daitir.reformulators import OpenAIOptions, TransformersOptions, load_reformulator

ROOT = Path(__file__).parents[1]
MODEL = "resources/models/mini-llm"
SECONDS_TO_START = 60


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Address of a server that holds mini's language model, ended with the module."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", MODEL, "--device", "cpu"]
    alone = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    log = tmp_path_factory.mktemp("served") / "log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | alone,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(timeout=20)


def wait_for(address, server, log):
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the server does not start:\n{log.read_text()}")


def settings(**others):
    templates = {
        f"{name}_template": ROOT / "config" / "templates" / f"mini-{name}.jinja"
        for name in ("query", "prompt")
    }
    return {"prompts": 2, "max_new_tokens": 64} | templates | others


def test_a_served_model_writes_what_it_writes_here(url):
    """Dialogues of every style in three rounds: the same query texts and prompts as without a server."""
    rng = random.Random(7)
    turns = [
        tuple(turn.text for turn in hold_dialogue(draw_scene(rng, "val"), rng, style)) for style in STYLES
    ]
    work = [(Dialogue(f"d{n}", f"{n}.png", said), [0, 4, 10]) for n, said in enumerate(turns)]
    here = TransformersOptions(kind="transformers", model=str(ROOT / MODEL), device="cpu", **settings())
    there = OpenAIOptions(kind="openai", model=MODEL, base_url=url, **settings(concurrency=4))
    wanted = list(load_reformulator(here).reformulate(work))
    assert len({query.query_text for query in wanted}) > 3
    assert list(load_reformulator(there).reformulate(work)) == wanted


def test_a_model_that_is_not_served_is_refused(url):
    """In the server's own words."""
    options = OpenAIOptions(kind="openai", model="another", base_url=url, **settings())
    with pytest.raises(DaitirError, match=r"d_r0: server .* Server is pinned to .*: mend `model`"):
        list(load_reformulator(options).reformulate([(Dialogue("d", "d.png", ("a star",)), [0])]))


def test_a_served_answer_that_is_cut_off_is_refused(url):
    """The server says that it stopped at the limit."""
    options = OpenAIOptions(
        kind="openai", model=MODEL, base_url=url, **settings(max_new_tokens=3, attempts=2)
    )
    with pytest.raises(DaitirError, match=r"d_r0, cut off after max_new_tokens \(3;"):
        list(load_reformulator(options).reformulate([(Dialogue("d", "d.png", ("a red star",)), [0])]))
