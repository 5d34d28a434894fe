"""Options of the fusions: light, so that the config can be read without torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from daitir.options import Device, Options, how


class TextOptions(Options):
    """The text feature alone."""

    uses_text: ClassVar[bool] = True
    uses_images: ClassVar[bool] = False
    kind: Literal["text"] = "text"


class _ImageFusionOptions(Options):
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


class TrainOptions(Options):
    """How a fusion is trained; the defaults are ADaFuSE's published recipe.

    ``seeds`` says which trainings there are. It changes the bytes of none of them, so a seed more
    retrains nothing.
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

    @model_validator(mode="after")
    def _is_possible(self) -> "TrainOptions":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} leaves none of {self.epochs} epochs: lower it"
            )
        if len(set(self.seeds)) < len(self.seeds) or any(not 0 <= seed < 2**15 for seed in self.seeds):
            raise ValueError("seeds are different whole numbers from 0 to 32767")
        return self


class AdafuseOptions(_ImageFusionOptions):
    """ADaFuSE: a gate between text and mean image, and a mixture of experts that adds a residual.

    ``branches`` leaves one of the two out, to tell what each brings; the paper has both.
    """

    kind: Literal["adafuse"] = "adafuse"
    projection: int = Field(512, ge=8, multiple_of=8)
    hidden: int = Field(2048, ge=64, multiple_of=64)
    experts: int = Field(4, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    branches: Literal["both", "gate", "experts"] = "both"
    train: TrainOptions
    device: Device = how("auto")
