"""Checkpoints: the state of an unfinished training, for the attempt that goes on from it.

In front of torch's own file stands the digest of its bytes: torch looks at no sum, and a flipped bit would be
trained on in silence.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from daitir.errors import DaitirError
from daitir.files import atomic
from daitir.seals import content_digest

MARK = b"daitir checkpoint "


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors and plain values as one finished file."""
    whole = io.BytesIO()  # what torch says of a full disk is no error of the system
    torch.save(state, whole)
    data = whole.getbuffer()
    with atomic(path) as partial, partial.open("wb") as file:
        file.write(_head(data))
        file.write(data)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the state in a checkpoint, on the CPU; nothing but tensors and plain values is read."""
    head, _, data = path.read_bytes().partition(b"\n")
    if head + b"\n" != _head(data):
        raise DaitirError(f"{path} is damaged: remove it and run again; the training begins anew")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise DaitirError(
            f"{path} holds more than weights, and is not run: remove it and run again"
        ) from None
    return state


def _head(data: bytes | memoryview) -> bytes:
    return MARK + content_digest([data]).encode() + b"\n"
