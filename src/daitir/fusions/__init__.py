"""Fusions: text and generated images joined into one query. Importing this loads no model library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from daitir.errors import DaitirError
from daitir.fusions.options import (
    AdafuseReleasedOptions,
    AddOptions,
    DarOptions,
    ImageOptions,
    TextOptions,
    TrainedFusionOptions,
    TrainedOptions,
)

if TYPE_CHECKING:
    from daitir.fusions.base import Fusion

PlainFusionOptions = TextOptions | ImageOptions | AddOptions | DarOptions
FusionOptions = Annotated[
    PlainFusionOptions | TrainedFusionOptions | AdafuseReleasedOptions, Field(discriminator="kind")
]

PRESETS: dict[str, PlainFusionOptions] = {
    "text": TextOptions(),
    "image": ImageOptions(),
    "add": AddOptions(),
    "dar": DarOptions(),
    # The released code looks at one image a round and adds similarities, which ranks as adding features does.
    "dar-released": DarOptions(alpha={0: 0.8, 2: 0.5}, images=1),
}
# Those that need weights: trained here, or by others.
TRAINED_KINDS = frozenset({"adafuse", "adafuse-released", "mlp", "film", "cross-attention", "round-weights"})


def load_fusion(options: FusionOptions, weights: Path | None = None) -> Fusion:
    """Return the fusion of ``options``; one that is trained comes with its ``weights``, any other without."""
    if (weights is not None) != (options.kind in TRAINED_KINDS):
        fault = "is not trained and takes no weights" if weights else "is trained: give its --weights"
        raise DaitirError(f"fusion of kind {options.kind!r} {fault}")
    if weights is not None:
        from daitir.fusions.trained import load_released, load_trained

        if isinstance(options, AdafuseReleasedOptions):
            return load_released(options, weights)
        assert isinstance(options, TrainedOptions)
        return load_trained(options, weights)
    if isinstance(options, DarOptions):
        from daitir.fusions.dar import DarFusion

        return DarFusion(options)
    from daitir.fusions.plain import AddFusion, ImageFusion, TextFusion

    plain = {"text": TextFusion, "image": ImageFusion, "add": AddFusion}
    return plain[options.kind](options)
