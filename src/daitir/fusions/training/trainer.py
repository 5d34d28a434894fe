"""The trainer: epochs over stored features, a checkpoint after each, the best epoch by held-out dialogues.

Whatever is random is drawn from (seed, epoch) alone and all arithmetic runs on one thread, so a training
that was killed goes on after its last finished epoch and ends with the bytes of one that was not.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from daitir.errors import DaitirError
from daitir.exact import one_thread
from daitir.files import atomic
from daitir.fusions.base import fuse_in_blocks
from daitir.fusions.networks.base import FusionNetwork
from daitir.fusions.options import TrainOptions
from daitir.fusions.training.data import TrainingData, random_state
from daitir.fusions.training.objective import contrastive_loss
from daitir.fusions.training.optimiser import build_optimiser, learning_rate_at
from daitir.metrics import recall_at, reciprocal_rank
from daitir.scoring import rank_targets

HITS = 10


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
        self.history: list[dict[str, Any]] = []
        self.best = Best()
        if checkpoint.exists():
            self._resume()

    @property
    def finished_epochs(self) -> int:
        """How many epochs are done, those before a restart included."""
        return len(self.history)

    def epochs(self) -> Iterator[int]:
        """Train the epochs that are left; yield each one's number, from 1, when its checkpoint is written."""
        with one_thread(), torch.random.fork_rng(devices=[]):
            for epoch in range(self.finished_epochs + 1, self.options.epochs + 1):
                loss, learning_rate = self._train_epoch(epoch)
                measured = measure(self.network, self.held_out)
                quality = measured["recall_at_10"], measured["mrr"]
                if quality > self.best.quality:
                    weights = {name: value.cpu().clone() for name, value in self.network.state_dict().items()}
                    self.best = Best(epoch, quality, weights)
                scale = self.network.log_scale.exp().item()
                row = {"epoch": epoch, "loss": loss, "learning_rate": learning_rate, "scale": scale}
                self.history.append(row | measured)
                self._save()
                yield epoch

    def _train_epoch(self, epoch: int) -> tuple[float, float]:
        """Train one epoch; return the mean loss of its batches and the learning rate of its last step."""
        self.network.train()
        torch.manual_seed(random_state("dropout", self.seed, epoch))
        steps = plan_steps(self.data.draw(self.seed, epoch), self.options.batch, self.options.accumulation)
        losses = []
        for place, batches in enumerate(steps):
            rate = learning_rate_at(
                step=(epoch - 1) * len(steps) + place,
                steps=self.options.epochs * len(steps),
                warmup=self.options.warmup_epochs * len(steps),
                peak=self.options.learning_rate,
            )
            losses += self._step(batches, rate)
        mean = sum(losses) / len(losses)
        if not mean < float("inf"):
            raise DaitirError(f"seed {self.seed}: the loss of epoch {epoch} is {mean}: lower learning_rate")
        return mean, rate

    def _step(self, batches: list[Tensor], learning_rate: float) -> list[float]:
        """Average the gradients of some batches and move once; return the losses."""
        losses = []
        for row_B in batches:
            place_B = row_B.to(self.data.text_MD.device)
            text_BD, images_BKD = self.data.text_MD[place_B], self.data.images_MKD[place_B]
            fused = self.network(text_BD, images_BKD, self.data.round_M[place_B])
            image_B = self.data.target_M[place_B]
            scale = self.network.log_scale.exp()
            loss = contrastive_loss(fused.query_BD, self.data.corpus_ND[image_B], scale, image_B)
            (loss / len(batches)).backward()
            losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.step()
        self.optimiser.zero_grad()
        return losses

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
            "best": vars(self.best),
        }
        whole = io.BytesIO()  # what torch says of a full disk is no error of the system
        torch.save(state, whole)
        with atomic(self.checkpoint) as partial:
            partial.write_bytes(whole.getbuffer())

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history, self.best = state["history"], Best(**state["best"])


def plan_steps(rows: Tensor, batch: int, accumulation: int) -> list[list[Tensor]]:
    """Cut the rows of an epoch into steps of batches, both as even as can be."""
    batches = list(torch.tensor_split(rows, -(-len(rows) // batch)))
    steps = -(-len(batches) // accumulation)
    bounds = [len(batches) * step // steps for step in range(steps + 1)]
    return [batches[begin:end] for begin, end in pairwise(bounds)]


def measure(network: FusionNetwork, data: TrainingData) -> dict[str, Any]:
    """Measure a network on held-out dialogues, all their rounds, among all images of the corpus.

    Recall@10 and MRR are means over queries, each round by itself: epochs are chosen by Recall@10, ties
    by MRR, then the earlier epoch.
    """
    network.eval()
    fused = fuse_in_blocks(network, data.text_MD, data.images_MKD, data.round_M)
    return {
        **retrieval_quality(fused.query_BD, data),
        "gate_mean": None if fused.gate_B is None else fused.gate_B.mean().item(),
        "gate_spread": None if fused.gate_B is None else fused.gate_B.std(correction=0).item(),
        "expert_load": None if fused.router_BE is None else fused.router_BE.mean(dim=0).tolist(),
    }


def retrieval_quality(query_MD: Tensor, data: TrainingData) -> dict[str, float]:
    """Recall@10 and MRR of some queries for the targets of ``data``."""
    rank_M = rank_targets(query_MD, data.corpus_ND, data.target_M).rank_Q.cpu().numpy()
    return {
        "recall_at_10": float(recall_at(rank_M, HITS).mean()),
        "mrr": float(reciprocal_rank(rank_M).mean()),
    }
