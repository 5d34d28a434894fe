"""The training loop that all models of the picture world share.

A run is killed and started again as often as need be: it resumes from its last checkpoint, and since every
step draws its data and its noise from (seed, step) alone, it sees the stream of an uninterrupted run.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from daitir.files import atomic
from daitir.locks import locked

Losses = dict[str, Tensor]
"""``loss`` is minimised; what else is in it is only shown."""


@dataclass(frozen=True)
class Plan:
    """How to train.

    The learning rate warms up, stays, and falls linearly to zero in the last ``cooldown`` of the steps.
    """

    steps: int
    learning_rate: float
    warmup: int = 100
    cooldown: float = 0.3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    ema: float = 0.998
    seed: int = 0
    device: str = "cpu"
    autocast: bool = True  # matrix products in bfloat16
    save_seconds: float = 60.0
    show_seconds: float = 15.0

    def rate(self, step: int) -> float:
        """Learning rate of a step, the first is 0."""
        rise = (step + 1) / max(self.warmup, 1)
        fall = (self.steps - step) / max(self.cooldown * self.steps, 1)
        return self.learning_rate * max(min(rise, 1.0, fall), 0.0)


class Average:
    """Exponential moving average of the trainable weights; young averages forget faster."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.live = [weight for weight in model.parameters() if weight.requires_grad]
        self.mean = [weight.detach().clone() for weight in self.live]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the mean towards the live weights of this step, the first is 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.mean, [weight.detach() for weight in self.live], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the live weights and their mean."""
        for weight, mean in zip(self.live, self.mean, strict=True):
            kept = weight.detach().clone()
            weight.copy_(mean)
            mean.copy_(kept)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the model holds the mean weights."""
        self.swap()
        try:
            yield
        finally:
            self.swap()


def train(
    model: nn.Module,
    loss: Callable[[int, random.Random], Losses],
    plan: Plan,
    scratch: Path,
    optimizer: torch.optim.Optimizer | None = None,
) -> nn.Module:
    """Train until ``plan.steps`` and return the model holding its averaged weights.

    ``loss(step, random)`` draws a batch from ``random``, runs the model and returns the losses; torch's own
    generator is seeded before each call. A run whose checkpoint in ``scratch`` has all its steps returns at
    once.
    """
    model.to(plan.device).train()
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = optimizer or torch.optim.AdamW(
        _decayed(trainable, plan.weight_decay), lr=plan.learning_rate, betas=plan.betas, fused=True
    )
    average = Average(model, plan.ema)
    with locked(scratch):
        checkpoint = scratch / "checkpoint.pt"
        first = (
            load_checkpoint(checkpoint, model, optimizer, average, plan.device) if checkpoint.exists() else 0
        )
        progress = Progress(first, plan, scratch / "history.jsonl")
        saved = time.monotonic()
        for step in range(first, plan.steps):
            losses = take_step(model, optimizer, loss, plan, step)
            average.update(step)
            progress.add(step, losses)
            if time.monotonic() - saved > plan.save_seconds or step + 1 == plan.steps:
                save_checkpoint(checkpoint, step + 1, model, optimizer, average)
                saved = time.monotonic()
    average.swap()
    return model.eval()


def take_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[int, random.Random], Losses],
    plan: Plan,
    step: int,
) -> Losses:
    """Draw the batch of this step and move the weights once."""
    for group in optimizer.param_groups:
        group["lr"] = plan.rate(step)
    stream = random.Random(f"{plan.seed}/{step}")
    torch.manual_seed(stream.getrandbits(63))
    with torch.autocast(torch.device(plan.device).type, torch.bfloat16, enabled=plan.autocast):
        losses = loss(step, stream)
    if not torch.isfinite(losses["loss"]):
        raise FloatingPointError(f"the loss of step {step} is {losses['loss'].item()}")
    optimizer.zero_grad(set_to_none=True)
    losses["loss"].backward()
    nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
    optimizer.step()
    return losses


def _decayed(weights: list[nn.Parameter], decay: float) -> list[dict]:
    """Weight decay is for matrices: biases, norms and scalars are left alone."""
    return [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]


def save_checkpoint(
    path: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, average: Average
) -> None:
    """Write all that a resumed run needs; ``step`` is the number of steps done."""
    with atomic(path) as partial:
        state = {
            "step": step,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "mean": average.mean,
        }
        torch.save(state, partial)


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: Average, device: str
) -> int:
    """Restore a run and return the number of steps it has done."""
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    for mean, stored in zip(average.mean, state["mean"], strict=True):
        mean.copy_(stored)
    return state["step"]


class Progress:
    """One line every so often: where the run is, its mean losses since the last line, the time left."""

    def __init__(self, first: int, plan: Plan, history: Path):
        self.plan, self.history = plan, history
        self.sums: dict[str, float] = {}
        self.start, self.count = (time.monotonic(), 0)
        history.parent.mkdir(parents=True, exist_ok=True)
        if first:
            print(f"resumed after step {first}", flush=True)

    def add(self, step: int, losses: Losses) -> None:
        """Count the losses of a step, and show their means when it is time."""
        self.count += 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        elapsed = time.monotonic() - self.start
        if elapsed > self.plan.show_seconds or step + 1 == self.plan.steps:
            self.show(step + 1, elapsed / self.count)

    def show(self, done: int, seconds: float) -> None:
        """Print the line and keep it in the history."""
        means = {name: round(total / self.count, 5) for name, total in self.sums.items()}
        left = (self.plan.steps - done) * seconds / 60
        shown = "  ".join(f"{name} {mean:.4f}" for name, mean in means.items())
        print(
            f"step {done}/{self.plan.steps}  {shown}  {seconds:.3f} s/step  {left:.1f} min left", flush=True
        )
        with self.history.open("a") as file:
            file.write(json.dumps({"step": done, **means, "seconds_per_step": round(seconds, 4)}) + "\n")
        self.sums, self.count, self.start = {}, 0, time.monotonic()


def command_line(description: str, steps: int) -> argparse.ArgumentParser:
    """The arguments that every training takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, required=True, help="directory of the trained model")
    parser.add_argument(
        "--scratch", type=Path, required=True, help="directory of the checkpoints; may be deleted afterwards"
    )
    parser.add_argument(
        "--steps", type=int, default=steps, help="a run that has done them already only exports its model"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser
