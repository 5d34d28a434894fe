"""Muon for the matrices inside the blocks of a transformer, Adam for all else."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class MuonAndAdam(torch.optim.Optimizer):
    """Two optimizers as one: ``matrices`` by Muon, ``others`` by AdamW, at one learning rate.

    Muon's updates are scaled to the size of Adam's, so that one schedule serves both (Liu et al., 2025).
    """

    def __init__(self, matrices: list[nn.Parameter], others: list[nn.Parameter], weight_decay: float = 0.01):
        self.parts = (
            torch.optim.Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        )
        super().__init__([{"params": [*matrices, *others]}], {})
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: None = None) -> None:  # type: ignore[override] # no loss is asked for again
        """Let each part move its weights."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of each part."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]
