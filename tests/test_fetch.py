"""Benchmarks are fetched once, whole and with the right sum, or not at all; the server here is local."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daitir import fetch
from daitir.errors import DaitirError

NAME = "ChatGPT_BLIP2.json"
CONTENT = bytes(range(256)) * 2000
SUM = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """A server's behaviour, and the ranges it was asked for (None: the whole file)."""

    content: bytes = CONTENT
    knows_ranges: bool = True
    send: list[int] = field(default_factory=list)  # bytes before each of the first answers breaks off
    statuses: list[int] = field(default_factory=list)  # of the first answers
    asked: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server.site
        asked = self.headers["Range"]
        site.asked.append(asked)
        site.paths.append(self.path)
        if site.statuses:
            self.send_error(site.statuses.pop(0))
            return
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and site.knows_ranges else 0
        if begin >= len(site.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(site.content)}")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(site.content) - 1}/{len(site.content)}")
        self.send_header("Content-Length", str(len(site.content) - begin))
        self.end_headers()
        end = begin + site.send.pop(0) if site.send else None
        self.wfile.write(site.content[begin:end])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def site(monkeypatch):
    """A running server that has every file, and no proxy in between."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.site = Site(url=f"http://127.0.0.1:{server.server_port}/copy")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.site
        server.shutdown()


def get(site, folder, checksum=SUM):
    fetch.fetch_file(f"{site.url}/file", folder / "file", checksum, wait=0)
    assert [path.name for path in folder.iterdir()] == ["file"]
    return (folder / "file").read_bytes()


def refusal(site, folder, checksum=SUM):
    with pytest.raises(DaitirError) as caught:
        fetch.fetch_file(f"{site.url}/file", folder / "file", checksum, wait=0)
    assert not (folder / "file").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_file_is_fetched_whole(site, tmp_path, capfd):
    """In one go, with progress and its rate."""
    assert get(site, tmp_path) == CONTENT
    assert site.asked == [None]
    assert "file: 100%" in capfd.readouterr().err


def test_broken_transfer_is_resumed(site, tmp_path):
    """What has come, in whole chunks of 16 KiB, is not asked for again, however often it breaks."""
    site.send = [3 * fetch.CHUNK + 100, 2 * fetch.CHUNK]
    assert get(site, tmp_path) == CONTENT
    assert site.asked == [None, "bytes=49152-", "bytes=81920-"]


def test_next_call_goes_on_where_the_last_one_gave_up(site, tmp_path):
    """The partial file outlives the process."""
    site.send = [fetch.CHUNK] * fetch.ATTEMPTS
    assert "4 times: check the network" in refusal(site, tmp_path)
    assert get(site, tmp_path) == CONTENT
    assert site.asked[-1] == "bytes=65536-"


def test_server_without_ranges_sends_all_again(site, tmp_path):
    """Then the file is written anew, not appended to."""
    site.knows_ranges, site.send = False, [100_000]
    assert get(site, tmp_path) == CONTENT


def test_partial_file_that_is_complete_needs_no_more(site, tmp_path):
    """A process may have ended between the last byte and the new name."""
    (tmp_path / ".file.partial").write_bytes(CONTENT)
    assert get(site, tmp_path) == CONTENT


def test_partial_file_that_is_too_long_is_dropped(site, tmp_path):
    """It belongs to something else; the file is fetched from its beginning."""
    (tmp_path / ".file.partial").write_bytes(CONTENT + b"more")
    assert get(site, tmp_path) == CONTENT


def test_wrong_sum_after_the_download_is_refused(site, tmp_path):
    """Both sums are named and nothing is kept, so that the next call begins anew."""
    message = refusal(site, tmp_path, checksum="0" * 64)
    assert f"has sha256 {SUM} instead of {'0' * 64}" in message
    assert list(tmp_path.iterdir()) == []


def test_missing_file_is_refused_at_once(site, tmp_path):
    """Another attempt would not find it either."""
    site.statuses = [404]
    assert f"{site.url}/file: the server answers 404 Not Found" in refusal(site, tmp_path)
    assert len(site.asked) == 1


def test_server_with_trouble_is_asked_again(site, tmp_path):
    """Overloaded now need not be overloaded later."""
    site.statuses = [503, 429]
    assert get(site, tmp_path) == CONTENT
    assert len(site.asked) == 3


def test_no_network_is_one_line(tmp_path, site):
    """The innermost reason is given, and what to do."""
    site.url = "http://127.0.0.1:1"
    message = refusal(site, tmp_path)
    assert "ConnectionError" in message
    assert "Connection refused" in message
    assert "check the network and the proxy" in message


def test_proxy_of_the_environment_is_used(site, tmp_path, monkeypatch):
    """The server plays the proxy: it is asked for the full address of a host that does not exist."""
    monkeypatch.setenv("http_proxy", site.url)
    fetch.fetch_file("http://nowhere.invalid/file", tmp_path / "file", SUM, wait=0)
    assert site.paths == ["http://nowhere.invalid/file"]


def test_right_file_is_taken_as_it_is(site, tmp_path, monkeypatch, capsys):
    """Nothing is asked of the server, and it is said."""
    monkeypatch.setitem(fetch.FILES, NAME, (f"dialogues/{NAME}", SUM))
    (tmp_path / NAME).write_bytes(CONTENT)
    fetch.fetch([NAME], tmp_path, site.url)
    assert site.asked == []
    assert capsys.readouterr().out == f"{tmp_path / NAME} is there and right\n"


def test_wrong_file_is_left_alone(site, tmp_path):
    """It may be somebody's own: it is refused, never overwritten."""
    (tmp_path / NAME).write_bytes(b"mine")
    with pytest.raises(DaitirError, match=rf"{NAME} has sha256 .* remove it or fetch to another folder"):
        fetch.fetch([NAME], tmp_path, site.url)
    assert (tmp_path / NAME).read_bytes() == b"mine"
    assert site.asked == []


def test_names_lie_flat_and_come_from_their_folders(site, tmp_path, monkeypatch):
    """All files of the repository, if none is named; each once."""
    for name, (path, _) in list(fetch.FILES.items()):
        monkeypatch.setitem(fetch.FILES, name, (path, SUM))
    fetch.fetch([NAME, NAME], tmp_path, site.url + "/")
    assert site.paths == [f"/copy/dialogues/{NAME}"]
    fetch.fetch([], tmp_path, site.url)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(fetch.BENCHMARKS)
    assert "/copy/ChatIR_Protocol/Search_Space_val_50k.json" in site.paths


def test_check_names_all_that_is_missing_or_wrong(tmp_path):
    """It fetches nothing."""
    (tmp_path / NAME).write_bytes(b"mine")
    with pytest.raises(
        DaitirError, match=f"{NAME} has another sha256; .*Human_BLIP2.json is missing: remove"
    ):
        fetch.check([NAME, "Human_BLIP2.json"], tmp_path)


@pytest.mark.parametrize(
    ("path", "is_refused"),
    [
        (f"resources/chatir/{NAME}", True),
        (f"far/away/resources/chatir/{NAME}", True),
        ("resources/chatir/mine.json", False),
        (f"chatir/{NAME}", False),
        (f"resources/{NAME}", False),
    ],
)
def test_published_names_stand_for_their_content(tmp_path, monkeypatch, path, is_refused):
    """Only in the folder of the fetched files; a link counts by where it is and what it leads to."""
    monkeypatch.chdir(tmp_path)
    Path(path).parent.mkdir(parents=True)
    fetch.require_published(Path(path))  # not there yet
    Path("mine").write_bytes(CONTENT)
    Path(path).symlink_to(tmp_path / "mine")
    if is_refused:
        with pytest.raises(DaitirError, match=f"{path} has sha256 {SUM}, the published file"):
            fetch.require_published(Path(path))
        monkeypatch.setitem(fetch.FILES, NAME, (f"dialogues/{NAME}", SUM))
    fetch.require_published(Path(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["FLAN.json"],
            "error: no benchmark file is called 'FLAN.json'; there are VisDial_v1.0_queries_val.json",
        ),
        (
            [NAME, "--base-url", "here"],
            "error: --base-url 'here' is no address: it begins with https:// or http://",
        ),
        (["--check", NAME], "ChatGPT_BLIP2.json is missing"),
    ],
)
def test_command_line_refuses_in_one_line(tmp_path, arguments, message):
    """Names may stand behind the output folder."""
    command = [sys.executable, "-m", "daitir.fetch", "benchmarks", "--output", tmp_path, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
