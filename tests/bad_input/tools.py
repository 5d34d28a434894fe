"""Programs around the pipeline: fetching, converting, simulating."""

import http.server
import pickle
import threading
from typing import Any

import torch
from PIL import Image

from daitir import fetch as fetching
from tests import original_blip, tiny
from tests.bad_input.calls import Call, Place, RunsCode, call, case, cases
from tests.test_fetch import NAME, Handler, Site


def served(place: Place, **site: Any) -> str:
    """Return the address of a server of files, closed after the call."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        place.monkeypatch.delenv(name, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = Site(**site)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    place.open.callback(server.server_close)
    place.open.callback(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}"


def fetch(place: Place, name: str = NAME, **more: Any) -> Call:
    """Fetch one file."""
    return call("benchmarks", name, output=place.folder / "data", **more)


@cases(
    "fetch",
    {
        "a file that the server has not": {"statuses": [404]},
        "a file with another checksum": {"content": b"another"},
    },
)
def wrong_file(place: Place, site: dict[str, Any]) -> Call:
    """A server that has not the pinned file; alone, as from the command line."""
    return fetch(place, base_url=served(place, **site), alone="statuses" in site)


@case("fetch", "a transfer that breaks off again and again")
def broken_transfers(place: Place) -> Call:
    """Each attempt brings some chunks more, which are kept."""
    place.monkeypatch.setattr(fetching.time, "sleep", lambda _: None)
    address = served(place, send=[100_000] * fetching.ATTEMPTS)
    return fetch(place, base_url=address, keeps=f"data/.{NAME}.partial")


@case("fetch", "a file of one's own in the way")
def own_file(place: Place) -> Call:
    """It is left as it is."""
    place.write(f"data/{NAME}", "mine")
    return fetch(place, base_url="http://127.0.0.1:9", keeps=f"data/{NAME}")


@case("fetch", "a name that no benchmark has")
def unknown_file(place: Place) -> Call:
    """A slip of the pen."""
    return fetch(place, "ChatGPT.json")


def convert(place: Place, checkpoint: Any) -> Call:
    """Convert a checkpoint of BLIP."""
    path = place.folder / "weights.pth"
    if not isinstance(checkpoint, bytes):
        torch.save(checkpoint, path)
    else:
        place.write(path.name, checkpoint)
    return call("blip", path, place.folder / "blip", tokenizer=place.models.blip)


def state(**changed: Any) -> dict[str, torch.Tensor]:
    """Return the weights of a BLIP; a weight that is None is left out."""
    weights = original_blip.state(words=5 + len(tiny.WORDS) + 3 + 2) | changed
    return {name: tensor for name, tensor in weights.items() if tensor is not None}


@cases(
    "convert",
    {
        "a weight that is left over": {"prompt_learner.weight": torch.zeros(1)},
        "a weight that is missing": {"vision_proj.bias": None},
        "a weight of another shape": {"vision_proj.bias": torch.zeros(3)},
        "a weight that is not finite": {"vision_proj.bias": torch.full((original_blip.JOINT,), torch.inf)},
    },
)
def wrong_weight(place: Place, changed: dict[str, Any]) -> Call:
    """One weight changed."""
    return convert(place, {"model": state(**changed)})


@cases(
    "convert",
    {
        "a checkpoint that holds code": lambda: pickle.dumps({"model": RunsCode()}),
        "a checkpoint that is none": lambda: b"<html>404</html>",
        "a checkpoint without weights": lambda: {"epoch": 3},
        "a tokenizer of another model": lambda: original_blip.state(words=50),
    },
)
def wrong_checkpoint(place: Place, make: Any) -> Call:
    """A file that is no checkpoint of BLIP, or not this tokenizer's; nothing in it is run."""
    place.monkeypatch.chdir(place.folder)
    return convert(place, make())


@case("convert", "a directory in the way")
def directory_in_the_way(place: Place) -> Call:
    """Somebody's model."""
    place.write("blip/config.json", {})
    return convert(place, state())


PYTHON = {"kind": "python", "function": "tests.bad_input.tools:Silent"}


def simulate(place: Place, images: int = 2, **simulation: Any) -> Call:
    """Simulate dialogues about two images, of which ``images`` are there."""
    place.write("corpus.json", ["0.png", "1.png"])
    (place.folder / "images").mkdir()
    for number in range(images):
        Image.new("RGB", (8, 8)).save(place.folder / "images" / f"{number}.png")
    chosen: dict[str, Any] = {"questioner": {"kind": "transformers", "model": str(place.models.llama)}}
    chosen |= {"answerer": PYTHON, "rounds": 2}
    paths = {"corpus": place.folder / "corpus.json", "images": place.folder / "images"}
    paths |= {"scratch": place.folder / "scratch", "output": place.folder / "mine.jsonl"}
    return call(options={"code": "1", "simulation": chosen | simulation}, **paths)


class Silent:
    """An answerer that says nothing."""

    def caption(self, images: Any) -> list[str]:
        """Return no word about any image."""
        return [" " for _ in images]

    answer = caption


@cases(
    "simulate",
    {
        "fewer images than targets": {"targets": 5},
        "a corpus image that is missing": {"images": 1},
        "an answerer that cannot be imported": {"answerer": PYTHON | {"function": "no.such:Answerer"}},
        "an answer that is empty": {},
    },
)
def wrong_simulation(place: Place, given: dict[str, Any]) -> Call:
    """A corpus or an answerer that is not what it should be."""
    return simulate(place, **given)
