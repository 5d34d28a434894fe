"""How large a fusion is, beside the encoder whose features it joins. Importing this loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def parameters_of(network: nn.Module) -> int:
    """Count the weights of a network."""
    return sum(weight.numel() for weight in network.parameters())


def overhead(fusion: int, encoder: int) -> float:
    """Share that the weights of a fusion add to those of its encoder (ADaFuSE reports 5.29 % for BLIP)."""
    return fusion / encoder
