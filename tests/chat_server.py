"""A server on this machine that poses as an OpenAI-compatible API and answers as a test says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from daitir.dialogues import Dialogue
from daitir.queries import Query
from daitir.reformulators import ReformulatorOptions, load_reformulator

TEMPLATES = Path(__file__).parents[1] / "config" / "templates"


@dataclass
class Reply:
    """What is sent back."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """What was asked: the message, the whole body, the headers, and how many requests came before it."""

    message: str
    body: dict[str, Any]
    headers: dict[str, str]
    number: int


@dataclass
class ChatServer:
    """Address of the server and all requests so far."""

    url: str
    requests: list[Request] = field(default_factory=list)


def ask(server: ChatServer, scratch: Path | None = None, count: int = 4, **settings: Any) -> list[Query]:
    """Return the queries of some dialogues of one turn, as a server answers them."""
    options = {"kind": "openai", "model": "tiny", "base_url": server.url, "prompts": 1, "retries": 0}
    options |= {f"{name}_template": TEMPLATES / f"mini-{name}.jinja" for name in ("query", "prompt")}
    chosen: Any = TypeAdapter(ReformulatorOptions).validate_python(options | settings)
    work = [(Dialogue(f"d{n}", f"{n}.png", (f"star {n}",)), [0]) for n in range(count)]
    return list(load_reformulator(chosen, scratch).reformulate(work))


def echo(request: Request) -> Reply:
    """Answer with the last line of the message."""
    return says(echoed(request))


def echoed(request: Request) -> str:
    """The text of ``echo``."""
    return f"{request.message.splitlines()[-1]}!"


def says(text: str | None, reason: str = "stop", **message: Any) -> Reply:
    """A completion with one choice."""
    choice = {
        "index": 0,
        "finish_reason": reason,
        "message": {"role": "assistant", "content": text, **message},
    }
    whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [choice]}
    return Reply(whole)


def refuses(status: int, message: str, **headers: str) -> Reply:
    """An error in the shape of the API."""
    return Reply({"error": {"message": message, "type": "error"}}, status, headers)


@contextmanager
def chat_server(
    answer: Callable[[Request], Reply], models: tuple[str, ...] = ("tiny",)
) -> Iterator[ChatServer]:
    """Serve ``answer`` at a free port, each request in a thread of its own."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(body["messages"][0]["content"], body, headers, len(server.requests))
                server.requests.append(request)
            self.send(answer(request))

        def do_GET(self) -> None:
            self.send(Reply({"object": "list", "data": [{"id": name, "object": "model"} for name in models]}))

        def send(self, reply: Reply) -> None:
            is_text = isinstance(reply.body, str)
            data = (reply.body if is_text else json.dumps(reply.body)).encode()
            self.send_response(reply.status)
            kind = "text/html" if is_text else "application/json"
            for name, value in {
                "content-type": kind,
                "content-length": str(len(data)),
                **reply.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that no longer waits closes its connection."""

    http = Quiet(("127.0.0.1", 0), Handler)
    server = ChatServer(f"http://127.0.0.1:{http.server_address[1]}/v1")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
