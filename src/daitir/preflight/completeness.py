"""Whether the files of a model are all there, by their names; nothing is loaded."""

import json
import re
from collections.abc import Collection
from pathlib import Path

SAFETENSORS = re.compile(r"(?:model|diffusion_pytorch_model)(?:-(\d{5})-of-(\d{5}))?\.safetensors")
BIN = re.compile(r"pytorch_model(?:-(\d{5})-of-(\d{5}))?\.bin")  # read where a model has no safetensors
SMALL = re.compile(r".*\.(?:json|txt|jinja|model)")  # configs, tokenizers


def lacking_in(folder: Path, without: Collection[str] = ()) -> str:
    """Return what a model directory lacks, in words; ``without`` are parts that nobody loads."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if "model_index.json" not in names:
        return lacking(names)
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except ValueError as error:
        return f"its model_index.json is not JSON ({error})"
    # A part without a class is not there on purpose.
    parts = {name for name, value in index.items() if isinstance(value, list) and value and value[0]}
    return lacking(names, parts, without)


def lacking(names: Collection[str], parts: Collection[str] = (), without: Collection[str] = ()) -> str:
    """Return what a model lacks, in words; nothing if it is complete.

    ``parts`` are the folders that the index of a diffusers pipeline names, as far as it can be read.
    """
    if "model_index.json" not in names:
        return _weights(names)[1] if "config.json" in names else "it has no config.json or model_index.json"
    there = {name.split("/")[0] for name in names if "/" in name}
    absent = sorted(set(parts) - there - set(without))
    if absent:
        return f"its part {absent[0]} is not there"
    faults = (_weights(names, part)[1] for part in _models(names) if part not in without)
    return next(filter(None, faults), "")


def loaded(names: Collection[str], without: Collection[str] = ()) -> list[str]:
    """Return the files of a model that loading fetches: configs, tokenizers, and weights in one format."""
    if "model_index.json" not in names:
        weights = _weights(names)[0]
    else:
        parts = [part for part in _models(names) if part not in without]
        weights = [name for part in parts for name in _weights(names, part)[0]]
    return [*filter(SMALL.fullmatch, names), *weights]


def _models(names: Collection[str]) -> list[str]:
    """Return the parts of a pipeline that have weights; schedulers and tokenizers have no config.json."""
    return sorted({name.split("/")[0] for name in names if name.endswith("/config.json")})


def _weights(names: Collection[str], part: str = "") -> tuple[list[str], str]:
    """Return the files with the weights of a model or of a pipeline's part, and what they lack."""
    folder = f"{part}/" if part else ""
    inside = [name.removeprefix(folder) for name in names if name.startswith(folder)]
    fault = f"it has no weights as {folder}*.safetensors"
    for pattern in (SAFETENSORS,) if part else (SAFETENSORS, BIN):
        found = {name: match for name in inside if (match := pattern.fullmatch(name))}
        whole = [name for name, match in found.items() if match[1] is None]
        chosen = whole or sorted(found)
        if not chosen:
            continue
        count = 0 if whole else int(found[chosen[0]][2])
        missing = sorted(set(range(1, count + 1)) - {int(found[name][1] or 0) for name in chosen})
        if not missing:
            return [f"{folder}{name}" for name in chosen], ""
        fault = f"it lacks shard {missing[0]} of {count} of its weights{f' in {part}' if part else ''}"
    return [], fault
