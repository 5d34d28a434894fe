"""Weights of trained fusions: safetensors with the provenance in the header."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from daitir.errors import DaitirError
from daitir.files import atomic, digest_bytes
from daitir.seals import seal, unseal

PROVENANCE = "daitir.provenance"


def write_weights(path: Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Write one finished file of weights; equal weights and records give equal bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as partial:
        # One key: the order of several would not be fixed.
        sealed = seal(record, path, weights_digest(plain))
        partial.write_bytes(save(plain, metadata={PROVENANCE: sealed}))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file by name, and who made it."""
    if not Path(path).is_file():
        raise DaitirError(f"{path} does not exist: run snakemake to train it")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise DaitirError(f"{path} cannot be read ({error}): remove it and run again") from None
    sealed = unseal(metadata.get(PROVENANCE), path)
    sealed.require(weights_digest(tensors))
    return tensors, sealed.record


def fill(network: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Load weights into a network; they must fill it exactly, be of its shapes and finite."""
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise DaitirError(
            f"{source}: {len(wrong)} weights do not fit the network, the first is {name!r}"
            f" ({_shape(found, name)} in the file, {_shape(expected, name)} in the network): train it again"
        )
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise DaitirError(f"{source}: weights {broken[0]!r} are not finite: remove the file and train again")
    network.load_state_dict(tensors)


def _shape(shapes: dict[str, torch.Size], name: str) -> str:
    return " x ".join(map(str, shapes[name])) or "one number" if name in shapes else "none"


def weights_digest(tensors: dict[str, Tensor]) -> str:
    """Digest of names, types, shapes and values."""
    return digest_bytes(
        part
        for name in sorted(tensors)
        for part in (
            f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode(),
            _bytes(tensors[name]),
        )
    )


def _bytes(tensor: Tensor) -> bytes:
    # By bytes, for NumPy has no bfloat16.
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
