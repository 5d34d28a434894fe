"""Fetch the published benchmarks: each file at a pinned commit, its sha256 checked, resumed if it broke off.

    python -m daitir.fetch benchmarks --output resources/chatir [NAME ...]

A file that is already there is taken as it is if its sum is right, and refused otherwise. Proxies are those
of the environment (HTTPS_PROXY, NO_PROXY).
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daitir.errors import DaitirError, exit_with_one_line
from daitir.files import flush_to_disk, naming
from daitir.progress import Progress

if TYPE_CHECKING:
    import requests

COMMIT = "f5a4b908643d5fcd946187da8f20c0667afbe2e5"
BASE_URL = f"https://raw.githubusercontent.com/levymsn/ChatIR/{COMMIT}"
SUMS = {  # folder in ChatIR's repository: its files, each with its sha256
    "dialogues": {
        "VisDial_v1.0_queries_val.json": "6db15734e21df441c932b84cf538ba660350e82dcb18e5d3ab8d0f99691cd210",
        "ChatGPT_BLIP2.json": "e3a3e3d08aadd6540264d25eca9ef6894ff9364eaa8002ff746e801c151a3cd8",
        "Human_BLIP2.json": "780aa994c465e4b92a344c3da0a8945a29da3ec96e3d380a0d1585d9c33cc8ae",
        "FLAN_ALPACA_XXL_BLIP2.json": "aac9bcb3ecbe736885c6a846e7e1433b69795617449e44a6c8e269efd0be32b7",
        "Unanswered_ChatGPT_BLIP2.json": "8bc9ac7e90807e72223a80f6d9f86bef91498e298c16a05eb191c4e57f83a6b8",
    },
    "ChatIR_Protocol": {
        "Search_Space_val_50k.json": "8a32638192419131513f2e5a6e5159d191de6789678fb3b1faa18e1ab46b44af",
    },
}
FILES = {  # file name: path in the repository, sha256
    name: (f"{folder}/{name}", checksum) for folder, files in SUMS.items() for name, checksum in files.items()
}
BENCHMARKS = tuple(FILES)
FOLDER = Path("resources/chatir")  # where the workflow puts them
ATTEMPTS = 4
FIRST_WAIT = 1.0  # seconds, twice as long after each further attempt
TIMEOUT = (10, 60)  # seconds to connect, and to wait for the next bytes
CHUNK = 16 * 1024  # bytes; of a broken transfer, whole chunks are kept
OK, PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 200, 206, 416
WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}


class BrokenTransferError(Exception):
    """A transfer that another attempt may finish."""


def fetch(names: Sequence[str], output: Path, base_url: str = BASE_URL, wait: float = FIRST_WAIT) -> None:
    """Put the files of these names (all, if none is given) into ``output``, each with the right sum."""
    if not base_url.startswith(("https://", "http://")):
        raise DaitirError(f"--base-url {base_url!r} is no address: it begins with https:// or http://")
    for name in require_known(names):
        path, checksum = FILES[name]
        target = output / name
        if target.exists():
            require_sum(target, checksum)
            print(f"{target} is there and right", flush=True)
        else:
            fetch_file(f"{base_url.rstrip('/')}/{path}", target, checksum, wait)
            print(f"{target} is fetched and right", flush=True)


def check(names: Sequence[str], output: Path) -> None:
    """Stop, naming every file of these names that is not in ``output`` or has another sum; fetch nothing."""
    faults = []
    for name in require_known(names):
        target, (_, checksum) = output / name, FILES[name]
        if not target.is_file():
            faults.append(f"{target} is missing")
        elif sha256(target) != checksum:
            faults.append(f"{target} has another sha256")
        else:
            print(f"{target} is there and right", flush=True)
    if faults:
        raise DaitirError(f"{'; '.join(faults)}: remove what is wrong, then fetch again without --check")


def require_known(names: Sequence[str]) -> list[str]:
    """Return the names to fetch, each once; all of them, if none is given."""
    for name in names:
        if name not in FILES:
            raise DaitirError(f"no benchmark file is called {name!r}; there are {', '.join(BENCHMARKS)}")
    return list(dict.fromkeys(names)) or list(BENCHMARKS)


def fetch_file(url: str, target: Path, checksum: str, wait: float = FIRST_WAIT) -> None:
    """Download ``url`` to ``target``; what is in its partial file already is not fetched again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            download(url, partial)
            break
        except BrokenTransferError as error:
            if attempt == ATTEMPTS:
                raise DaitirError(
                    f"{url}: {error}, {ATTEMPTS} times: check the network and the proxy, then run again; what"
                    " has come is kept"
                ) from None
            time.sleep(wait * 2 ** (attempt - 1))
    found = sha256(partial)
    if found != checksum:
        partial.unlink()
        raise DaitirError(
            f"{url} has sha256 {found} instead of {checksum}: run again; if that does not help, the source is"
            " not the pinned one"
        )
    flush_to_disk(partial)
    partial.replace(target)
    flush_to_disk(target.parent)


def download(url: str, partial: Path) -> None:
    """Append to ``partial`` what it lacks of ``url``, or write all of it if the server knows no ranges."""
    import requests

    have = partial.stat().st_size if partial.exists() else 0
    # A compressed answer would count ranges in compressed bytes.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if have and answer.status_code == RANGE_NOT_SATISFIABLE:
                _require_complete(answer, partial, have)
                return
            _require_success(answer, url)
            resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            _write(answer, partial, have if have and resumed else 0)
    except requests.RequestException as error:
        raise BrokenTransferError(_reason(error)) from None


def _require_complete(answer: requests.Response, partial: Path, have: int) -> None:
    """A range that begins at the end was not needed; one beyond it belongs to another file: begin anew."""
    if answer.headers.get("Content-Range") != f"bytes */{have}":
        partial.unlink()
        raise BrokenTransferError("what came earlier does not fit")


def _require_success(answer: requests.Response, url: str) -> None:
    status = f"{answer.status_code} {answer.reason}"
    if answer.status_code in WORTH_ANOTHER_TRY:
        raise BrokenTransferError(f"the server answers {status}")
    if answer.status_code not in {OK, PARTIAL_CONTENT}:
        raise DaitirError(f"{url}: the server answers {status}: check --base-url and the network's rules")


def _write(answer: requests.Response, partial: Path, have: int) -> None:
    length = int(answer.headers.get("Content-Length", 0))
    total = _kib(have + length) if length else 0
    report = Progress(partial.name.removeprefix(".").removesuffix(".partial"), total, "KiB", _kib(have))
    with naming(partial), partial.open("ab" if have else "wb") as file:
        for chunk in answer.iter_content(CHUNK):
            file.write(chunk)
            report.advance(_kib(len(chunk)))
    report.close()


def _kib(size: int) -> int:
    return -(-size // 1024)


def _reason(error: BaseException) -> str:
    """The innermost cause, which is the one that says something: a refused connection, an unknown host."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    return f"{type(error).__name__} ({inner})"


def require_sum(path: Path, checksum: str) -> None:
    """Refuse a file with another sum; it may be somebody's own, so it is left alone."""
    if not path.is_file():
        raise DaitirError(f"{path} is no file: remove it or fetch to another folder")
    found = sha256(path)
    if found != checksum:
        raise DaitirError(
            f"{path} has sha256 {found} instead of {checksum}: remove it or fetch to another folder"
        )


def require_published(path: Path) -> None:
    """Refuse a file in the folder of the fetched ones that has the name of one and another sum.

    Files elsewhere, whatever their names, and files of other names are everybody's own; one that is not there
    is the reader's concern.
    """
    path = Path(path)
    if path.parent.parts[-2:] != FOLDER.parts or path.name not in FILES or not path.is_file():
        return
    found, checksum = sha256(path), FILES[path.name][1]
    if found != checksum:
        raise DaitirError(
            f"{path} has sha256 {found}, the published file of this name {checksum}: remove it and fetch it"
            " again, or give a file of your own another name in the config"
        )


def sha256(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Fetch from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("what", choices=["benchmarks"], help="ChatIR's dialogue files and list of candidates")
    parser.add_argument("names", nargs="*", metavar="NAME", help="files to fetch (default: all)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the files")
    parser.add_argument("--base-url", default=BASE_URL, metavar="URL", help="another copy of the repository")
    parser.add_argument("--check", action="store_true", help="fetch nothing, check the files that are there")
    arguments = parser.parse_intermixed_args()
    if arguments.check:
        check(arguments.names, arguments.output)
    else:
        fetch(arguments.names, arguments.output, arguments.base_url)


if __name__ == "__main__":
    exit_with_one_line(main)
