"""What a run needs of the machine: disk space, keys in the environment, a device."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from daitir.config import Config
from daitir.preflight.estimates import Work
from daitir.preflight.findings import Finding
from daitir.preflight.hub import Hub
from daitir.preflight.models import components
from daitir.preflight.table import gigabytes

FreeSpace = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free where a folder lies."""
    return shutil.disk_usage(folder).free


def check_space(config: Config, work: Iterable[Work], hub: Hub, free: FreeSpace) -> list[Finding]:
    """Return a finding a disk: the results' and the model cache's, or one for both."""
    work = list(work)
    results = max(0, sum(line.size or 0 for line in work) - _stored(config.results))
    about = "at least" if any(line.size is None for line in work) else "about"
    places = [("results", _existing(config.results), results)]
    if hub.bytes_to_download:
        places.append(("models to download", _existing(hub.cache), hub.bytes_to_download))
    if len({folder.stat().st_dev for _, folder, _ in places}) < len(places):
        places = [("results and models to download", places[0][1], results + hub.bytes_to_download)]
    return [_space(what, folder, needed, about, free) for what, folder, needed in places]


def _space(what: str, folder: Path, needed: int, about: str, free: FreeSpace) -> Finding:
    there = free(folder)
    detail = f"{about} {gigabytes(needed)} GB still to be written, {gigabytes(there)} GB free"
    return Finding(
        "machine", f"disk for {what}", str(folder), "missing" if there < needed else "there", detail
    )


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _stored(results: Path) -> int:
    """Return the bytes of pictures and features that are there already."""
    files = (path for kind in ("images", "features") for path in (results / kind).rglob("*"))
    return sum(path.lstat().st_size for path in files if path.is_file())


def check_keys(config: Config, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Yield a finding a key variable; its value is neither read nor shown.

    A variable that the config names must be there; without a name a server may well want no key.
    """
    for key, component in components(config):
        variable = getattr(component, "api_key_env", None)
        if variable is None:
            continue
        server = f"for {getattr(component, 'model', '')} at {getattr(component, 'base_url', '')}"
        if environment.get(variable):
            yield Finding("machine", f"{key}.api_key_env", variable, "there", server)
        elif "api_key_env" in component.model_fields_set:
            told = f"not set, {server}: export it before the run"
            yield Finding("machine", f"{key}.api_key_env", variable, "missing", told)
        else:
            told = f"not set, {server}: export it if the server wants a key"
            yield Finding("machine", f"{key}.api_key_env", variable, "note", told)


def check_devices(config: Config) -> list[Finding]:
    """Return a finding a device that components compute on; one that is elsewhere is no fault of a config."""
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    names = {"cpu": "the CPU"}
    if mps:
        names["mps"] = "Apple's GPU"
    if cuda:
        names["cuda"] = torch.cuda.get_device_name()
    names["auto"] = f"takes {names.get('cuda') or names.get('mps') or 'the CPU, no GPU is seen here'}"
    wanted: dict[str, list[str]] = {}
    fusions = [(f"fusions.{name}", fusion) for name, fusion in config.fusions.items()]
    for key, component in [*components(config), *fusions]:
        device = getattr(component, "device", None)
        if device is not None:
            wanted.setdefault(device, []).append(key)
    return [
        Finding(
            "machine",
            "device",
            device,
            "there" if device in names else "note",
            f"{names.get(device, 'not seen here: run the jobs where it is')}, for {', '.join(keys)}",
        )
        for device, keys in sorted(wanted.items())
    ]
