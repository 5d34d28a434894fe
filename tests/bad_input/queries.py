"""Reformulation: dialogues, templates, published queries, chat models here and behind a server."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from daitir.dialogues import Dialogue, write_dialogues
from daitir.queries import Query, write_queries
from tests.bad_input.calls import Call, Place, call, case, cases
from tests.chat_server import TEMPLATES, Reply, Request, chat_server, echo, echoed, refuses, says

DIALOGUES = [Dialogue(f"d{n}", f"{n}.png", (f"star {n}", "is it red? yes"), n) for n in range(4)]
TEXTS = {f"{name}_template": str(TEMPLATES / f"mini-{name}.jinja") for name in ("query", "prompt")}
KEY = "sk-a-key-that-nobody-may-see-1234"
ANSWERS = "scratch/*/answers-*.json"


def reformulate(place: Place, how: Any = None, rounds: int = 1, **reformulator: Any) -> Call:
    """Reformulate four dialogues of two turns; ``how`` has further arguments of the call."""
    dialogues = place.folder / "d.parquet"
    if not dialogues.exists():
        write_dialogues(dialogues, DIALOGUES, {"stage": "test"})
    options = {
        "code": "1",
        "reformulator": {"kind": "join", "prompts": 1} | reformulator,
        "rounds": {"rounds": rounds},
    }
    scratch, output = place.folder / "scratch", place.folder / "q.parquet"
    paths = {"dialogues": dialogues, "shard": "0-of-1", "scratch": scratch, "output": output}
    return call(options=options, **paths | (how or {}))


@case("reformulate", "fewer turns than rounds")
def short_dialogues(place: Place) -> Call:
    """Rounds raised after the import."""
    return reformulate(place, rounds=3)


@cases("reformulate", {"a shard that there is not": "2-of-2", "more shards than dialogues": "4-of-5"})
def no_shard(place: Place, shard: str) -> Call:
    """Shards are counted from 0, and none is empty."""
    return reformulate(place, {"shard": shard})


@case("reformulate", "a table that is cut short")
def damaged_table(place: Place) -> Call:
    """Half a Parquet file."""
    write_dialogues(place.folder / "d.parquet", DIALOGUES, {"stage": "test"})
    place.write("d.parquet", (place.folder / "d.parquet").read_bytes()[:-200])
    return reformulate(place)


@case("reformulate", "a table of another kind")
def other_table(place: Place) -> Call:
    """Queries for dialogues."""
    write_queries(place.folder / "d.parquet", [Query("d0", 0, "star", ("star",))], {"stage": "test"})
    return reformulate(place)


@case("reformulate", "round 0 of another reformulator")
def round_0_of_another(place: Place) -> Call:
    """A mix of two reformulations."""
    known = place.folder / "known.parquet"
    made = {"stage": "reformulate", "options": {"code": "1", "reformulator": {"kind": "join", "prompts": 3}}}
    write_queries(known, [Query("d0", 0, "star", ("star",) * 3)], made)
    return reformulate(place, {"known": known})


@case("reformulate", "a known table that is not there")
def no_known_table(place: Place) -> Call:
    """Round 0 that is not made yet."""
    return reformulate(place, {"known": place.folder / "known.parquet"})


def chat(place: Place, **settings: Any) -> Call:
    """Reformulate with a chat model of this machine."""
    settings = {"max_new_tokens": 20, "attempts": 1, "prompts": 1} | TEXTS | settings
    reformulator = {"kind": "transformers", "model": str(place.models.llama)} | settings
    return reformulate(place, {"how": {"reformulator": {"device": "cpu", "batch_size": 4}}}, **reformulator)


@cases(
    "reformulate",
    {
        "a template that is gone": None,
        "a template that is not Jinja": "{{ turns",
        "a template with a variable that is not there": "{{ dialogue }}",
    },
)
def wrong_template(place: Place, text: str | None) -> Call:
    """A template for the messages to a chat model."""
    path = place.folder / "query.jinja"
    if text is not None:
        place.write("query.jinja", text)
    return chat(place, query_template=str(path))


@case("reformulate", "a dialogue longer than the model reads")
def no_room(place: Place) -> Call:
    """More new tokens than the model has places."""
    return chat(place, max_new_tokens=600)


@cases("reformulate", {"a model without a chat template": "", "a chat template that is cut short": "{% for "})
def broken_chat_template(place: Place, text: str) -> Call:
    """A download that broke off, or a model that nobody taught to chat."""
    shutil.copytree(place.models.llama, place.folder / "llama")
    place.write("llama/chat_template.jinja", text)
    return chat(place, model=str(place.folder / "llama"))


@case("reformulate", "a model folder without a model")
def no_model(place: Place) -> Call:
    """A folder that holds something else."""
    place.write("model/notes.txt", "weights follow")
    return chat(place, model=str(place.folder / "model"))


def served(place: Place, answer: Any, keeps: str | None = None, **settings: Any) -> Call:
    """Reformulate with a model behind a server that answers as ``answer`` says."""
    place.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = place.open.enter_context(chat_server(answer))
    settings = {"model": "tiny", "base_url": server.url, "prompts": 1, "attempts": 2} | TEXTS | settings
    how = {"reformulator": {"retries": 0, "concurrency": 1}}
    asked = reformulate(place, {"how": how}, kind="openai", **settings)
    return replace(asked, keeps=keeps)


def all_but_one(reply: Reply) -> Any:
    """Answer well, but not about dialogue 3."""
    return lambda request: reply if "star 3" in request.message else echo(request)


@cases(
    "reformulate",
    {
        "an LLM's answer that is empty": says(" "),
        "an LLM's answer that is cut off": says("a star with", "length"),
        "an LLM's answer of several lines": says("Sure! Here it is:\na star"),
        "an LLM's answer with marks of the chat": says("a star<|im_end|>"),
        "a text longer than the server takes": refuses(400, "maximum context length is 10 tokens"),
        "a server that fails": refuses(500, "out of memory"),
    },
)
def useless_answer(place: Place, reply: Reply) -> Call:
    """The same useless answer at every attempt; the other answers are kept."""
    return served(place, all_but_one(reply), ANSWERS)


@case("reformulate", "a key that a server does not take")
def wrong_key(place: Place) -> Call:
    """A server that repeats the key in what it says; the table's row has none."""

    def refuse(request: Request) -> Reply:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        return refuses(401, f"wrong key {KEY}")

    return served(place, refuse)


@cases(
    "reformulate",
    {
        "a model that the server has not": lambda _: refuses(404, "no such model"),
        "a server that is none of chat models": lambda _: Reply("<html>hello"),
    },
)
def wrong_server(place: Place, answer: Any) -> Call:
    """A server that is there and does not serve what is asked."""
    return served(place, answer)


@case("reformulate", "a server that is not there")
def no_server(place: Place) -> Call:
    """One that has gone."""
    asked = served(place, lambda request: says(echoed(request)))
    place.open.close()
    return asked


ROW = {"dialog": ["a star", "a red star"]}


@cases(
    "reformulate",
    {
        "a file of published queries that is not there": None,
        "a published row that is missing": [{"img": "0.png", **ROW}],
        "a published row with too few texts": [{"img": f"{n}.png", "dialog": ["a star"]} for n in range(4)],
    },
)
def published_queries(place: Place, rows: Any) -> Call:
    """Published queries of other dialogues, or of fewer rounds."""
    path: Path = place.folder / "published.json"
    if rows is not None:
        place.write("published.json", rows)
    return reformulate(place, {"released": path}, rounds=2, kind="released")
