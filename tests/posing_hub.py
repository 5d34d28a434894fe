"""A server on this machine that poses as the hub, and models that are file names with nothing in them."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENCODER = {"config.json": 300, "model.safetensors": 900_000_000, "tokenizer.json": 700}


def model_info(name, files, gated=False):
    """Return what the hub answers about a model."""
    siblings = [{"rfilename": file, "size": size} for file, size in files.items()]
    return {"id": name, "modelId": name, "sha": COMMIT, "gated": gated, "siblings": siblings}


@contextmanager
def posing_hub(answers):
    """Serve ``answers``: path -> (status, headers, value); yields the address and the list of asked paths."""
    asked = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.split("?")[0]
            asked.append(path)
            status, headers, value = answers.get(path, (404, {"X-Error-Code": "RepoNotFound"}, {}))
            body = json.dumps(value() if callable(value) else value).encode()
            self.send_response(status)
            for name, text in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *said):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def cached(cache, name, files):
    """Put a model into a cache as the hub's library lays it out."""
    home = cache / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    return directory(home / "snapshots" / COMMIT, files)


def directory(folder, files):
    """Make a model directory of these files: JSON values, or nothing at all."""
    for file, value in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("" if isinstance(value, int) else json.dumps(value))
    return folder
