"""What converters share: reading a checkpoint without running it, and writing a whole directory."""

import hashlib
import pickle
import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from daitir.errors import DaitirError
from daitir.files import atomic, flush_to_disk

SYSTEM_FAULT = re.compile(r"\(os error (\d+)\)")
WRAPPERS = ("model", "state_dict")  # the keys under which training programs keep the weights


def read_state(path: Path, wrappers: Sequence[str] = WRAPPERS, alone: bool = True) -> dict[str, Tensor]:
    """Return the weights of a ``.pth`` or ``.ckpt`` by name; nothing but tensors and plain values is read.

    The weights lie under one of the ``wrappers``, or, where they may stand ``alone``, are the file itself.
    """
    state, asked = _load(Path(path)), " or ".join(f"`{name}`" for name in wrappers)
    for name in wrappers:
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
            break
    else:
        state = state if alone else None
    if not isinstance(state, dict) or not state:
        raise DaitirError(f"{path} holds no weights: give a checkpoint with {asked} in it")
    other = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if other:
        raise DaitirError(
            f"{path} holds {len(other)} entries that are no weights, the first is {other[0]!r}:"
            f" give a checkpoint with {asked} in it"
        )
    return state


def _load(path: Path) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: give the path of a downloaded checkpoint") from None
    except pickle.UnpicklingError as error:
        raise DaitirError(
            f"{path} holds something else than weights, which is not run ({_reason(error)}): fetch it again,"
            " or save its weights alone with the program that wrote it"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise DaitirError(
            f"{path} is damaged, cut short or no checkpoint ({_reason(error)}): fetch it again"
        ) from None


def _reason(error: Exception) -> str:
    """Return what torch found, without its advice."""
    text = " ".join(str(error).split())
    for begin in ("Unsupported global:", "Unsupported operand", "Unsupported class"):
        if begin in text:
            text = text[text.index(begin) :]
    sentence = text.split(". ")[0].split(" was not an allowed")[0].split(" Check the documentation")[0]
    return (sentence[:160] or type(error).__name__).strip()


def without_prefix(state: dict[str, Tensor], anchor: str, path: Path) -> dict[str, Tensor]:
    """Return the weights without what a wrapping program put before all names (``module.``, ``model.``).

    ``anchor`` is a name that the layout has exactly once.
    """
    found = [name for name in state if name == anchor or name.endswith(f".{anchor}")]
    if len(found) != 1:
        raise DaitirError(
            f"{path} has {len(found)} weights called {anchor!r} instead of one, its first is"
            f" {next(iter(state))!r}: is it a checkpoint of this layout?"
        )
    prefix = found[0].removesuffix(anchor)
    return {name.removeprefix(prefix): tensor for name, tensor in state.items()}


def require_exact(state: dict[str, Tensor], expected: dict[str, torch.Size], path: Path) -> None:
    """Refuse weights that are left over, missing, of another shape or not finite, by their names."""
    over, missing = sorted(state.keys() - expected.keys()), sorted(expected.keys() - state.keys())
    if over or missing:
        faults = [
            f"{len(names)} weights {what}, the first is {names[0]!r}"
            for names, what in ((over, "are left over"), (missing, "are missing"))
            if names
        ]
        raise DaitirError(f"{path}: {' and '.join(faults)}: is it a checkpoint of this layout?")
    for name, shape in expected.items():
        if state[name].shape != shape:
            raise DaitirError(
                f"{path}: weight {name!r} is {_size(state[name].shape)}, the model has {_size(shape)}:"
                " is it a checkpoint of this layout?"
            )
        if not torch.isfinite(state[name]).all():
            raise DaitirError(f"{path}: weight {name!r} is not finite: fetch the checkpoint again")


def _size(shape: torch.Size) -> str:
    return " x ".join(map(str, shape)) or "one number"


def require_absent(output: Path) -> None:
    """Refuse a directory that is already there, before any work."""
    if Path(output).exists():
        raise DaitirError(f"{output} exists: remove it or name another directory")


@contextmanager
def model_directory(output: Path) -> Iterator[Path]:
    """Yield an empty directory to write a model to; it gets the name ``output`` when it is finished."""
    output = Path(output).absolute()
    require_absent(output)
    with atomic(output) as partial:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            fault = SYSTEM_FAULT.search(str(error)) if isinstance(error, SafetensorError) else None
            if fault:  # safetensors' own words for a full disk
                raise OSError(int(fault[1]), str(error)) from error
            raise
        for file in partial.rglob("*"):
            if file.is_file():  # the libraries write weights that their owner alone may read
                file.chmod(partial.stat().st_mode & 0o666)
            flush_to_disk(file)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as checkpoints are published with."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
