"""ADaFuSE, trained: the network with its weights, ready to fuse."""

from pathlib import Path

from torch import Tensor

from daitir.errors import DaitirError
from daitir.fusions.base import Fused, mean_image, use_images
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import AdafuseOptions
from daitir.weights import fill, read_weights

FIRST_LAYER = "project_text.0.weight"


class AdafuseFusion:
    """Adaptive fusion of the text and the mean image, re-normalised."""

    def __init__(self, options: AdafuseOptions, network: Adafuse) -> None:
        self.options, self.network = options, network.eval()

    def fuse(self, text_BD: Tensor, images_BKD: Tensor | None, round_B: Tensor) -> Fused:
        """Return the queries with gate and router; the round is not looked at."""
        if text_BD.shape[1] != self.network.width:
            raise DaitirError(
                f"features are {text_BD.shape[1]} wide but the fusion was trained on {self.network.width}:"
                " train it on features of this encoder"
            )
        return self.network(text_BD, mean_image(use_images(images_BKD, self.options.images)))


def build_adafuse(options: AdafuseOptions, width: int) -> Adafuse:
    """Return an untrained network for features of ``width``, with torch's present random state."""
    return Adafuse(
        width, options.projection, options.hidden, options.experts, options.dropout, options.branches
    )


def load_adafuse(options: AdafuseOptions, weights: Path) -> AdafuseFusion:
    """Load a trained network; the weights must have been trained with these very options."""
    tensors, record = read_weights(weights)
    trained = AdafuseOptions.parse(record["options"].get("fusion"), str(weights))
    if trained.only("bytes") != options.only("bytes"):
        raise DaitirError(f"{weights} was trained with other options than these: train it again")
    if FIRST_LAYER not in tensors:
        raise DaitirError(f"{weights} lacks {FIRST_LAYER!r}: it is no ADaFuSE; remove it and train again")
    network = build_adafuse(options, width=tensors[FIRST_LAYER].shape[1])
    fill(network, tensors, weights)
    return AdafuseFusion(options, network)
