"""The trainer of encoders: epochs over samples, a checkpoint after each, the best by held-out dialogues.

Whatever is random is drawn from (seed, epoch) alone, so on the CPU a training that was killed goes on after
its last finished epoch and ends with the weights of one that was not.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from daitir.checkpoints import read_checkpoint, write_checkpoint
from daitir.errors import DaitirError
from daitir.fusions.training.data import random_state
from daitir.fusions.training.optimiser import learning_rate_at
from daitir.fusions.training.trainer import plan_steps
from daitir.images import in_threads
from daitir.tuning import TuneSettings
from daitir.tuning.data import ImageFiles, Sample, Told, draw, one_round_each
from daitir.tuning.measure import encode_targets, measure
from daitir.tuning.networks import build_optimiser
from daitir.tuning.objective import Batch, Loss, Objective

Prepared = tuple[list[int], np.ndarray | None, np.ndarray | None]


@dataclass
class Best:
    """The best epoch so far and its weights."""

    epoch: int = 0
    quality: tuple[float, float] = (-1.0, -1.0)
    weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """What is trained on, and the held-out dialogues that choose the epoch."""

    trained: list[Told]
    held_out: list[Told]
    files: ImageFiles


class Tuner:
    """Trains one encoder with one seed, on all devices of ``accelerator``.

    A batch of all devices together gives in-batch negatives; the gradients of up to ``accumulation`` batches
    are averaged for one step, both cut evenly as for fusions. Where the image side is frozen its features of
    the targets are made once.
    """

    def __init__(
        self,
        objective: Objective,
        material: Material,
        seed: int,
        checkpoint: Path,
        accelerator: Accelerator,
    ) -> None:
        self.objective, self.material, self.seed = objective, material, seed
        self.checkpoint, self.accelerator = checkpoint, accelerator
        self.options: TuneSettings = objective.options
        self.encoder = objective.encoder
        self.encoder.device = str(accelerator.device)
        objective.to(accelerator.device)
        self.optimiser = build_optimiser(
            objective,
            "network.",
            self.options.learning_rate,
            self.options.layer_decay,
            self.options.weight_decay,
        )
        self.history: list[dict[str, Any]] = []
        self.best = Best()
        if checkpoint.exists():
            self._resume()
        self.sees_images = objective.weights is not None
        self.held_out = one_round_each(material.held_out)
        self.candidates = sorted({told.target for told in material.held_out})
        targets = sorted({told.target for told in material.trained})
        self.target_of = {target: place for place, target in enumerate(targets)}
        self.parallel = accelerator.prepare_model(objective)
        if not self.sees_images:
            self.frozen_ND = encode_targets(self.encoder, material.files, targets)
            self.candidate_ND = encode_targets(self.encoder, material.files, self.candidates)

    @property
    def finished_epochs(self) -> int:
        """How many epochs are done, those before a restart included."""
        return max(len(self.history) - 1, 0)

    def epochs(self) -> Iterator[int]:
        """Train the epochs that are left; yield each one's number, from 1, when its checkpoint is written."""
        with torch.random.fork_rng(devices=[]):
            if not self.history:
                self.history.append({"epoch": 0, **self._state(), **self._measure()})
            for epoch in range(self.finished_epochs + 1, self.options.epochs + 1):
                trained = self._train_epoch(epoch)
                measured = self._measure()
                quality = measured["recall_at_10"], measured["mrr"]
                if quality > self.best.quality:
                    self.best = Best(epoch, quality, self._weights())
                self.history.append({"epoch": epoch, **trained, **self._state(), **measured})
                self._save()
                yield epoch

    def keep_best(self) -> None:
        """Give the encoder the weights of the best epoch."""
        self.objective.network.load_state_dict(self.best.weights)
        self.objective.eval()

    def _measure(self) -> dict[str, Any]:
        self.objective.eval()
        files = self.material.files
        if self.sees_images:
            self.candidate_ND = encode_targets(self.encoder, files, self.candidates)
        return measure(self.encoder, files, self.held_out, self.candidates, self.candidate_ND)

    def _state(self) -> dict[str, Any]:
        return {"scale": self.objective.log_scale.exp().item(), "weights": self.objective.shares}

    def _weights(self) -> dict[str, Tensor]:
        state = self.objective.network.state_dict()
        return {name: value.detach().cpu().clone() for name, value in state.items()}

    def _train_epoch(self, epoch: int) -> dict[str, Any]:
        """Train one epoch; return the means of its losses and the learning rate of its last step."""
        self.objective.train()
        torch.manual_seed(random_state("dropout", self.seed, epoch, self.accelerator.process_index))
        samples = draw(self.material.trained, self.seed, epoch)
        steps = plan_steps(torch.arange(len(samples)), self.options.batch, self.options.accumulation)
        batches = self.batches([[samples[row] for row in rows] for step in steps for rows in step])
        losses: list[Loss] = []
        rate = 0.0
        for place, step in enumerate(steps):
            rate = learning_rate_at(
                step=(epoch - 1) * len(steps) + place,
                steps=self.options.epochs * len(steps),
                warmup=self.options.warmup_epochs * len(steps),
                peak=self.options.learning_rate,
            )
            losses += self._step(islice(batches, len(step)), len(step), rate)
        mean = sum(loss.total.item() for loss in losses) / len(losses)
        if not mean < float("inf"):
            raise DaitirError(f"seed {self.seed}: the loss of epoch {epoch} is {mean}: lower learning_rate")
        terms = torch.stack([loss.term_T for loss in losses]).double().mean(dim=0)
        return {"loss": mean, "learning_rate": rate, "terms": terms.tolist()}

    def _step(self, batches: Iterator[Batch], count: int, rate: float) -> list[Loss]:
        """Average the gradients of ``count`` batches and move once; return the losses."""
        losses = []
        for place, batch in enumerate(batches, start=1):
            waits = self.accelerator.no_sync(self.parallel) if place < count else nullcontext()
            with waits:
                loss = self.parallel(batch)
                self.accelerator.backward(loss.total / count)
            losses.append(Loss(loss.total.detach(), loss.term_T))
        torch.nn.utils.clip_grad_norm_(self.objective.parameters(), self.options.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.step()
        self.optimiser.zero_grad()
        return losses

    def batches(self, plan: list[list[Sample]]) -> Iterator[Batch]:
        """Yield this device's share of each batch; images are prepared a little ahead by threads."""
        shares = [self._share(samples) for samples in plan]
        ahead = (sample for share in shares for sample in share)
        prepared = in_threads(self._prepare, ahead, self.encoder.options.workers)
        for samples, share in zip(plan, shares, strict=True):
            tokens, images, targets = zip(*islice(prepared, len(share)), strict=True)
            ids_BT, mask_BT = self.encoder.pad_tokens(list(tokens))
            yield Batch(
                ids_BT,
                mask_BT,
                self._pixels(images) if self.sees_images else None,
                self._pixels(targets) if self.sees_images else self._frozen(share),
                self._names(samples),
            )

    def _share(self, samples: list[Sample]) -> list[Sample]:
        """Return this device's part of a batch, as many as the others have: the last fills up."""
        processes, mine = self.accelerator.num_processes, self.accelerator.process_index
        size = -(-len(samples) // processes)
        places = range(mine * size, (mine + 1) * size)
        return [samples[min(place, len(samples) - 1)] for place in places]

    def _prepare(self, sample: Sample) -> Prepared:
        tokens = self.encoder.cut_tokens(sample.text)
        if not self.sees_images:
            return tokens, None, None
        files = self.material.files
        return tokens, files.picture(sample.picture), files.target(sample.target)

    def _pixels(self, images: tuple[np.ndarray, ...]) -> Tensor:
        return torch.from_numpy(np.stack(images)).to(self.accelerator.device)

    def _frozen(self, share: list[Sample]) -> Tensor:
        rows = [self.target_of[sample.target] for sample in share]
        return self.frozen_ND[rows].to(self.accelerator.device)

    def _names(self, samples: list[Sample]) -> Tensor:
        rows = [self.target_of[sample.target] for sample in samples]
        return torch.tensor(rows, device=self.accelerator.device)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            state = {
                "objective": self.objective.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "history": self.history,
                "best": vars(self.best),
            }
            write_checkpoint(self.checkpoint, state)
        self.accelerator.wait_for_everyone()

    def _resume(self) -> None:
        state = read_checkpoint(self.checkpoint)
        self.objective.load_state_dict(state["objective"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history, self.best = state["history"], Best(**state["best"])
