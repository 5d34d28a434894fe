"""The samples of a training: kept in memory, split by name, one random round a dialogue and epoch.

Shape suffixes: M samples, K images, S dialogues, D feature, N candidates.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from daitir.errors import DaitirError
from daitir.exact import one_thread
from daitir.files import digest_text
from daitir.fusions.base import use_images
from daitir.fusions.options import TrainedOptions
from daitir.fusions.views import seen_images
from daitir.samples import Samples


@dataclass(frozen=True)
class TrainingData:
    """Features of dialogues, the rounds of a dialogue one after the other.

    Dialogue s has ``count_S[s]`` rounds from row ``first_S[s]`` on.
    """

    text_MD: Tensor
    images_MKD: Tensor
    round_M: Tensor
    target_M: Tensor
    first_S: Tensor
    count_S: Tensor
    corpus_ND: Tensor
    draws_image: bool = False

    def __len__(self) -> int:
        """Return the number of dialogues."""
        return len(self.first_S)

    def draw(self, seed: int, epoch: int) -> Tensor:
        """Return one row a dialogue, shuffled: a random round of each, decided by (seed, epoch) alone."""
        generator = torch.Generator().manual_seed(random_state("rounds", seed, epoch))
        round_S = (torch.rand(len(self), generator=generator, dtype=torch.float64) * self.count_S).long()
        return (self.first_S + round_S)[torch.randperm(len(self), generator=generator)]

    def pick_images(self, seed: int, epoch: int) -> Tensor | None:
        """Return one image a sample, its place, decided by (seed, epoch) alone; None where all are shown."""
        if not self.draws_image:
            return None
        generator = torch.Generator().manual_seed(random_state("images", seed, epoch))
        samples, images = self.images_MKD.shape[:2]
        return torch.randint(images, (samples,), generator=generator).to(self.images_MKD.device)

    def images(self, row_B: Tensor, picked_M: Tensor | None) -> Tensor:
        """Return the images of some samples, or the picked one of each."""
        if picked_M is None:
            return self.images_MKD[row_B]
        return self.images_MKD[row_B, picked_M[row_B]][:, None]

    def to(self, device: torch.device) -> "TrainingData":
        """Return the same data on ``device``; rows are drawn on the CPU, and what draws them stays there."""
        names = ("text_MD", "images_MKD", "round_M", "target_M", "corpus_ND")
        features = {name: getattr(self, name).to(device) for name in names}
        return replace(self, **features)


def random_state(purpose: str, *numbers: int) -> int:
    """Return the seed of one use of randomness."""
    return int(digest_text(purpose, *map(str, numbers)), 16) >> 1


def split(samples: Samples, options: TrainedOptions) -> tuple[TrainingData, TrainingData]:
    """Return the data to train on and the held-out data that choose the epoch.

    A sample is held out by a hash of its target's key, so that every dialogue about one image falls on
    one side. The images of a sample are what the fusion sees of them; where it draws one of them in
    training, the data to train on have all.
    """
    images, fraction = options.images, options.train.held_out
    assert samples.images_MKD is not None
    with one_thread():
        images_MKD = torch.from_numpy(samples.images_MKD)
        seen_MKD = seen_images(images_MKD, images, options.averages_images)
    held = {target: is_held_out(target, fraction) for target in set(samples.targets)}
    held_M = np.array([held[target] for target in samples.targets])
    shown_MKD = use_images(images_MKD, images) if options.draws_image else seen_MKD
    trained = _part(samples, shown_MKD, ~held_M, options.draws_image)
    chosen = _part(samples, seen_MKD, held_M, draws_image=False)
    if len(trained) < 2 or len(chosen) < 1:
        raise DaitirError(
            f"held_out {fraction} leaves {len(trained)} dialogues to train on and {len(chosen)} to choose by:"
            " train on a larger dialogue set or change held_out"
        )
    return trained, chosen


def is_held_out(target: str, fraction: float) -> bool:
    """Whether the dialogues about an image are held out; a larger fraction keeps those of a smaller one."""
    return int(digest_text("held out", target), 16) < fraction * 2**64


def _part(samples: Samples, images_MKD: Tensor, chosen_M: np.ndarray, draws_image: bool) -> TrainingData:
    rows = np.flatnonzero(chosen_M)
    ids = np.array([samples.dialogue_ids[row] for row in rows], dtype=object)
    _, first_S, count_S = np.unique(ids.astype(str), return_index=True, return_counts=True)
    return TrainingData(
        text_MD=torch.from_numpy(samples.text_MD[rows]),
        images_MKD=images_MKD[rows],
        round_M=torch.from_numpy(samples.round_M[rows]),
        target_M=torch.from_numpy(samples.target_M[rows]),
        first_S=torch.from_numpy(first_S),
        count_S=torch.from_numpy(count_S),
        corpus_ND=torch.from_numpy(samples.corpus.matrix),
        draws_image=draws_image,
    )
