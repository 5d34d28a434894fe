"""The fusions that are trained: a network with its weights, ready to fuse."""

from pathlib import Path

from torch import Tensor

from daitir.errors import DaitirError
from daitir.fusions.base import Fused
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.networks.base import FusionNetwork
from daitir.fusions.networks.cross_attention import CrossAttention
from daitir.fusions.networks.film import Film
from daitir.fusions.networks.mlp import Mlp
from daitir.fusions.networks.round_weights import RoundWeights
from daitir.fusions.options import AdafuseReleasedOptions, TrainedOptions
from daitir.fusions.views import seen_images
from daitir.weights import fill, read_weights

NETWORKS: dict[str, type[FusionNetwork]] = {
    "adafuse": Adafuse,
    "mlp": Mlp,
    "film": Film,
    "cross-attention": CrossAttention,
    "round-weights": RoundWeights,
}
ANY_WIDTH = 1
FILE = "model.safetensors"


class TrainedFusion:
    """A trained network, without dropout."""

    def __init__(self, network: FusionNetwork, images: int | None, averages_images: bool) -> None:
        self.network = network.eval()
        self.images, self.averages_images = images, averages_images

    def fuse(self, text_BD: Tensor, images_BKD: Tensor | None, round_B: Tensor) -> Fused:
        """Return the queries, with gate and router where the network has them."""
        if self.network.width not in {None, text_BD.shape[1]}:
            raise DaitirError(
                f"features are {text_BD.shape[1]} wide but the fusion was trained on {self.network.width}:"
                " train it on features of this encoder"
            )
        images_BKD = seen_images(images_BKD, self.images, self.averages_images)
        return self.network(text_BD, images_BKD, round_B)


def build_network(options: TrainedOptions, width: int) -> FusionNetwork:
    """Return an untrained network for features of ``width``, with torch's present random state."""
    sizes = options.model_dump(exclude={"kind", "images", "random_image", "train", "device"})
    return NETWORKS[options.kind](width, **sizes)


def load_trained(options: TrainedOptions, weights: Path) -> TrainedFusion:
    """Load a trained network; the weights must have been trained with these very options."""
    tensors, record = read_weights(weights)
    trained = type(options).parse(record["options"].get("fusion"), str(weights))
    if trained.only("bytes") != options.only("bytes"):
        raise DaitirError(f"{weights} was trained with other options than these: train it again")
    network = build_network(options, width_of(options, tensors, weights))
    fill(network, tensors, weights)
    return TrainedFusion(network, options.images, options.averages_images)


def load_released(options: AdafuseReleasedOptions, weights: Path) -> TrainedFusion:
    """Load ADaFuSE as others trained it, from the file of a converter."""
    tensors, record = read_weights(weights)
    if record["options"].get("fusion", {}).get("kind") != options.kind:
        raise DaitirError(f"{weights} is no converted ADaFuSE: make it with python -m daitir.convert adafuse")
    network = released_network(tensors)
    fill(network, tensors, weights)
    return TrainedFusion(network, options.images, averages_images=True)


def released_network(tensors: dict[str, Tensor]) -> Adafuse:
    """Return an ADaFuSE, untrained, of the sizes of some weights; a KeyError names one that must be there."""
    projection, width = tensors["project_text.0.weight"].shape
    hidden, _ = tensors["gate.layers.0.0.weight"].shape
    experts, _ = tensors["mixture.router.2.weight"].shape
    return Adafuse(width, projection, hidden, experts, dropout=0.0)


def width_of(options: TrainedOptions, tensors: dict[str, Tensor], weights: Path) -> int:
    """Return the width of the features that the weights were trained on."""
    sized_by = NETWORKS[options.kind].SIZED_BY
    if sized_by is None:
        return ANY_WIDTH
    name, dimension = sized_by
    if name not in tensors or tensors[name].ndim <= dimension:
        raise DaitirError(f"{weights} lacks {name!r}: it is no {options.kind}; remove it and train again")
    return tensors[name].shape[dimension]
