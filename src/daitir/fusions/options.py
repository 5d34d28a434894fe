"""Options of the fusions: light, so that the config can be read without torch."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from daitir.fusions.grown import GrownOptions, unless_default
from daitir.options import Device, Options, how, where

Views = Literal["mean", "attention", "each"]


class TextOptions(Options):
    """The text feature alone."""

    uses_text: ClassVar[bool] = True
    uses_images: ClassVar[bool] = False
    kind: Literal["text"] = "text"


class _ImageFusionOptions(GrownOptions):
    """What fusions with generated images share: how many of a round's K images they see (null = all)."""

    uses_text: ClassVar[bool] = True
    uses_images: ClassVar[bool] = True
    images: int | None = Field(None, ge=1)


class ImageOptions(_ImageFusionOptions):
    """The generated images alone: their mean, re-normalised."""

    uses_text: ClassVar[bool] = False
    kind: Literal["image"] = "image"


class AddOptions(_ImageFusionOptions):
    """Plain addition: normalise(t + v), v the mean image, re-normalised."""

    kind: Literal["add"] = "add"


class DarOptions(_ImageFusionOptions):
    """DAR: alpha t + (1 - alpha) sum_k v_k. A schedule ``{0: 0.7, 2: 0.5}`` has 0.7 from round 0, 0.5 from 2.

    The paper gives 0.7 "for the first two dialogue turns" and 0.5 "starting from turn 3". The caption is
    read here as the first turn, so turn 3 is round 2, where the released code switches as well. Elsewhere
    the paper calls the caption turn 0; who reads turn 3 as round 3 writes ``alpha: {0: 0.7, 3: 0.5}``.
    """

    kind: Literal["dar"] = "dar"
    alpha: dict[Annotated[int, Field(ge=0)], Annotated[float, Field(ge=0, le=1)]] = Field({0: 0.7, 2: 0.5})
    aggregate: Literal["sum", "mean"] = "sum"

    @model_validator(mode="after")
    def _begins_at_round_0(self) -> "DarOptions":
        if 0 not in self.alpha:
            raise ValueError(
                "alpha has no weight for round 0: a schedule begins with 0, as in {0: 0.7, 2: 0.5}"
            )
        return self


class TrainOptions(GrownOptions):
    """How a fusion is trained; the defaults are ADaFuSE's published recipe.

    ``seeds`` says which trainings there are. It changes the bytes of none of them, so a seed more
    retrains nothing. With ``ema`` the moving average of the weights is measured and kept (its decay a step);
    after ``patience`` epochs that bring the held-out dialogues nothing a training stops; ``bfloat16`` is for
    GPUs (the loss stays in float32); ``tensorboard`` writes the history beside the weights as well.
    """

    dialogues: str
    epochs: int = Field(50, ge=1)
    seeds: tuple[int, ...] = how((0, 1, 2), min_length=1)
    learning_rate: float = Field(5e-5, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    batch: int = Field(128, ge=2)
    accumulation: int = Field(16, ge=1)
    warmup_epochs: int = Field(5, ge=0)
    clip: float = Field(3.0, gt=0)
    held_out: float = Field(0.2, gt=0, lt=1)
    ema: float | None = unless_default(None, gt=0, lt=1)
    patience: int | None = unless_default(None, ge=1)
    precision: Literal["float32", "bfloat16"] = unless_default("float32")
    tensorboard: bool = how(False)

    @model_validator(mode="after")
    def _is_possible(self) -> "TrainOptions":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} leaves none of {self.epochs} epochs: lower it"
            )
        if len(set(self.seeds)) < len(self.seeds) or any(not 0 <= seed < 2**15 for seed in self.seeds):
            raise ValueError("seeds are different whole numbers from 0 to 32767")
        return self


class TrainedOptions(_ImageFusionOptions):
    """What fusions that are trained share."""

    kind: str

    train: TrainOptions
    device: Device = how("auto")

    @property
    def averages_images(self) -> bool:
        """Whether the images are averaged before the network sees them."""
        return False

    @property
    def draws_image(self) -> bool:
        """Whether a sample shows one of its images while it is trained on, another each epoch."""
        return False


class _PairOptions(TrainedOptions):
    """What fusions of the text with ONE image share: how they see K of them.

    ``mean``: their mean, re-normalised, as one image. ``attention``: their mean weighted by a softmax over
    K, from the text. ``each``: each is fused by itself; the mean of the K queries ranks as the mean of their
    scores does. With ``random_image`` a sample shows only one of them in training, drawn anew each epoch.
    """

    dropout: float = Field(0.2, ge=0, lt=1)
    views: Views = unless_default("mean")
    random_image: bool = unless_default(False)

    @property
    def averages_images(self) -> bool:
        """Whether the images are averaged before the network sees them."""
        return self.views == "mean"

    @property
    def draws_image(self) -> bool:
        """Whether a sample shows one of its images while it is trained on, another each epoch."""
        return self.random_image

    @model_validator(mode="after")
    def _has_views_to_weigh(self) -> "_PairOptions":
        if self.random_image and self.views == "attention":
            raise ValueError("random_image leaves nothing to attend over: drop it or take views mean or each")
        return self


class AdafuseOptions(_PairOptions):
    """ADaFuSE: a gate between text and mean image, and a mixture of experts that adds a residual.

    ``branches`` leaves one of the two out, to tell what each brings; the paper has both. With ``routing:
    top1`` only the expert that the router likes best speaks, as loud as the router's weight (Switch).
    """

    kind: Literal["adafuse"] = "adafuse"
    projection: int = Field(512, ge=8, multiple_of=8)
    hidden: int = Field(2048, ge=64, multiple_of=64)
    experts: int = Field(4, ge=1)
    branches: Literal["both", "gate", "experts"] = "both"
    routing: Literal["dense", "top1"] = unless_default("dense")

    @model_validator(mode="after")
    def _routes_something(self) -> "AdafuseOptions":
        if self.routing == "top1" and (self.branches == "gate" or self.experts < 2):
            raise ValueError("routing top1 chooses among experts: keep their branch, with two or more")
        return self


class AdafuseReleasedOptions(_ImageFusionOptions):
    """ADaFuSE as its authors trained it: ``weights`` is what ``python -m daitir.convert adafuse`` wrote.

    The sizes are those of the weights; of K images it sees the mean. A stage gets the weights as a file.
    """

    kind: Literal["adafuse-released"] = "adafuse-released"
    weights: Path | None = where(None)


class MlpOptions(_PairOptions):
    """A plain perceptron of [t; v], of ADaFuSE's size: the residual on (t + v) / 2, or all of the query."""

    kind: Literal["mlp"] = "mlp"
    hidden: int = Field(3072, ge=8)
    residual: bool = True


class FilmOptions(_PairOptions):
    """FiLM: the image scales and shifts the text feature, element by element; of ADaFuSE's size."""

    kind: Literal["film"] = "film"
    hidden: int = Field(3072, ge=8)


class CrossAttentionOptions(TrainedOptions):
    """The text attends over the K images, which nothing averages first; of ADaFuSE's size."""

    kind: Literal["cross-attention"] = "cross-attention"
    projection: int = Field(512, ge=8)
    heads: int = Field(8, ge=1)
    layers: int = Field(3, ge=1)
    hidden: int = Field(2688, ge=8)
    dropout: float = Field(0.2, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_are_equal(self) -> "CrossAttentionOptions":
        if self.projection % self.heads:
            raise ValueError(f"projection {self.projection} is no multiple of heads {self.heads}: change one")
        return self


class RoundWeightsOptions(TrainedOptions):
    """DAR with two trained numbers a round, the weights of text and images; later rounds have the last's."""

    kind: Literal["round-weights"] = "round-weights"
    rounds: int = Field(11, ge=1)


TrainedFusionOptions = AdafuseOptions | MlpOptions | FilmOptions | CrossAttentionOptions | RoundWeightsOptions


class OracleOptions(Options):
    """For each query the better of some systems, which takes the target to know: an upper line, no system.

    It fuses nothing and ranks nothing; it chooses among ranks that are known (`daitir.stages.rank_oracle`).
    """

    kind: Literal["oracle"] = "oracle"
    of: tuple[str, ...] = Field(("text", "dar"), min_length=2)
