"""The trainer: epochs over stored features, a checkpoint after each, the best epoch by held-out dialogues.

Whatever is random is drawn from (seed, epoch) alone and all arithmetic runs on one thread, so a training
that was killed goes on after its last finished epoch and ends with the bytes of one that was not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from daitir.checkpoints import read_checkpoint, write_checkpoint
from daitir.errors import DaitirError
from daitir.exact import one_thread
from daitir.fusions.networks.base import FusionNetwork
from daitir.fusions.options import TrainOptions
from daitir.fusions.training.data import TrainingData, random_state
from daitir.fusions.training.measures import measure
from daitir.fusions.training.objective import contrastive_loss
from daitir.fusions.training.optimiser import build_optimiser, learning_rate_at, moving_average

TOGETHER = 4  # batches that go through the network at once: fewer, larger products, and still in the cache


@dataclass
class Best:
    """The best epoch so far and its weights."""

    epoch: int = 0
    quality: tuple[float, float] = (-1.0, -1.0)
    weights: dict[str, Tensor] = field(default_factory=dict)


class Trainer:
    """Trains one network with one seed.

    A batch gives in-batch negatives; the gradients of up to ``accumulation`` batches are averaged for one
    step. An epoch is cut evenly: n dialogues make ceil(n / batch) batches that differ by one dialogue at
    most, and these make ceil(batches / accumulation) steps that differ by one batch at most. A set
    smaller than one batch is one batch, and one that is smaller than batch * accumulation makes one step
    an epoch: then lower ``accumulation``.
    """

    def __init__(
        self,
        network: FusionNetwork,
        options: TrainOptions,
        data: TrainingData,
        held_out: TrainingData,
        seed: int,
        checkpoint: Path,
    ) -> None:
        self.network, self.options, self.seed, self.checkpoint = network, options, seed, checkpoint
        self.data, self.held_out = data, held_out
        self.optimiser = build_optimiser(network, options.learning_rate, options.weight_decay)
        self.average = None if options.ema is None else moving_average(network, options.ema)
        self.history: list[dict[str, Any]] = []
        self.best = Best()
        if checkpoint.exists():
            self._resume()

    @property
    def finished_epochs(self) -> int:
        """How many epochs are done, those before a restart included."""
        return len(self.history)

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or enough of them brought nothing better."""
        patience = self.options.patience
        waited = self.finished_epochs - self.best.epoch
        return self.finished_epochs >= self.options.epochs or (patience is not None and waited >= patience)

    @property
    def kept(self) -> FusionNetwork:
        """The network that is measured and whose weights are kept: the trained one, or its moving average."""
        return self.network if self.average is None else cast(FusionNetwork, self.average.module)

    def epochs(self) -> Iterator[int]:
        """Train the epochs that are left; yield each one's number, from 1, when its checkpoint is written."""
        with one_thread(), torch.random.fork_rng(devices=[]):
            while not self.is_over:
                epoch = self.finished_epochs + 1
                loss, learning_rate = self._train_epoch(epoch)
                measured = measure(self.kept, self.held_out)
                quality = measured["recall_at_10"], measured["mrr"]
                if quality > self.best.quality:
                    weights = {name: value.cpu().clone() for name, value in self.kept.state_dict().items()}
                    self.best = Best(epoch, quality, weights)
                scale = self.kept.log_scale.exp().item()
                row = {"epoch": epoch, "loss": loss, "learning_rate": learning_rate, "scale": scale}
                self.history.append(row | measured)
                self._save()
                yield epoch

    def _train_epoch(self, epoch: int) -> tuple[float, float]:
        """Train one epoch; return the mean loss of its batches and the learning rate of its last step."""
        self.network.train()
        torch.manual_seed(random_state("dropout", self.seed, epoch))
        picked_M = self.data.pick_images(self.seed, epoch)
        steps = plan_steps(self.data.draw(self.seed, epoch), self.options.batch, self.options.accumulation)
        losses = []
        for place, batches in enumerate(steps):
            rate = learning_rate_at(
                step=(epoch - 1) * len(steps) + place,
                steps=self.options.epochs * len(steps),
                warmup=self.options.warmup_epochs * len(steps),
                peak=self.options.learning_rate,
            )
            losses += self._step(batches, picked_M, rate)
        mean = sum(losses) / len(losses)
        if not mean < float("inf"):
            raise DaitirError(f"seed {self.seed}: the loss of epoch {epoch} is {mean}: lower learning_rate")
        return mean, rate

    def _step(self, batches: list[Tensor], picked_M: Tensor | None, learning_rate: float) -> list[float]:
        """Average the gradients of some batches and move once; return the losses."""
        losses = []
        for first in range(0, len(batches), TOGETHER):
            loss_L = self._losses(batches[first : first + TOGETHER], picked_M)
            (loss_L.sum() / len(batches)).backward()
            losses += loss_L.tolist()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return losses

    def _losses(self, batches: list[Tensor], picked_M: Tensor | None) -> Tensor:
        """Return the loss of each of some batches, which go through the network together.

        The network computes in the precision asked for, the losses in float32.
        """
        data, halved = self.data, self.options.precision == "bfloat16"
        row_B = torch.cat(batches).to(data.text_MD.device)
        with torch.autocast(row_B.device.type, torch.bfloat16, enabled=halved):
            fused = self.network(data.text_MD[row_B], data.images(row_B, picked_M), data.round_M[row_B])
        image_B, scale = data.target_M[row_B], self.network.log_scale.exp()
        sizes = [len(batch) for batch in batches]
        parts = zip(
            fused.query_BD.split(sizes),
            data.corpus_ND[image_B].split(sizes),
            image_B.split(sizes),
            strict=True,
        )
        return torch.stack([contrastive_loss(query, target, scale, image) for query, target, image in parts])

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
            "best": vars(self.best),
            "average": None if self.average is None else self.average.state_dict(),
        }
        write_checkpoint(self.checkpoint, state)

    def _resume(self) -> None:
        state = read_checkpoint(self.checkpoint)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history, self.best = state["history"], Best(**state["best"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def plan_steps(rows: Tensor, batch: int, accumulation: int) -> list[list[Tensor]]:
    """Cut the rows of an epoch into steps of batches, both as even as can be."""
    batches = list(torch.tensor_split(rows, -(-len(rows) // batch)))
    steps = -(-len(batches) // accumulation)
    bounds = [len(batches) * step // steps for step in range(steps + 1)]
    return [batches[begin:end] for begin, end in pairwise(bounds)]
