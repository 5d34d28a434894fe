"""Tuning: an encoder trained further for dialogues and generated images. Importing this loads no model."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from daitir.encoders import EncoderOptions
from daitir.options import Options, how

TUNABLE = ("beit3", "blip", "clip")
TERMS = ("image_target", "text_target", "fused_target", "image_text", "agreement")  # of DMCL's loss


class HardNegatives(Options):
    """The nearest wrong candidates, pushed away by more than the rest of the batch (DMCL).

    Of the ``count`` hardest of each row and column, softplus((s_neg - s_pos + margin) / temperature) on
    cosines s; the mean is added to each of the three target terms, times ``weight``.
    """

    count: int = Field(4, ge=1)
    margin: float = Field(0.1, ge=0)
    temperature: float = Field(0.1, gt=0)
    weight: float = Field(0.1, gt=0)


class TuneSettings(Options):
    """How an encoder is trained; the defaults are DMCL's published recipe.

    ``dialogues`` and ``queries`` name the training dialogues and the reformulator of their texts.
    ``held_out`` is the share of target images whose dialogues choose the epoch. ``checkpointing`` computes
    activations twice instead of keeping them; with ``mixed_precision`` an accelerator multiplies matrices
    in bfloat16. ``seeds`` says which trainings there are and changes the bytes of none. ``processes`` share
    the batches of one training, each on a GPU of its own; it is one job for all.
    """

    dialogues: str
    queries: str
    epochs: int = Field(50, ge=1)
    warmup_epochs: int = Field(5, ge=0)
    seeds: tuple[int, ...] = how((0,), min_length=1)
    learning_rate: float = Field(1e-5, gt=0)
    layer_decay: float = Field(0.9, gt=0, le=1)
    weight_decay: float = Field(0.05, ge=0)
    drop_path: float = Field(0.2, ge=0, lt=1)
    batch: int = Field(128, ge=2)
    accumulation: int = Field(8, ge=1)
    clip: float = Field(3.0, gt=0)
    held_out: float = Field(0.2, gt=0, lt=1)
    mixed_precision: bool = True
    checkpointing: bool = how(False)
    processes: int = how(1, ge=1)

    @model_validator(mode="after")
    def _is_possible(self) -> "TuneSettings":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} leaves none of {self.epochs} epochs: lower it"
            )
        if len(set(self.seeds)) < len(self.seeds) or any(not 0 <= seed < 2**15 for seed in self.seeds):
            raise ValueError("seeds are different whole numbers from 0 to 32767")
        return self


class DmclOptions(TuneSettings):
    """DMCL: both sides, on triplets of query text, generated image and target image.

    ``images`` names the generator; of a query's K images a random one is seen. ``temperature`` is that of
    the agreement between both views.
    """

    kind: Literal["dmcl"]
    images: str
    temperature: float = Field(1.0, gt=0)
    hard_negatives: HardNegatives | None = None


class ChatirOptions(TuneSettings):
    """ChatIR's way: the text side alone, on dialogues as they are (a reformulator of kind ``join``)."""

    kind: Literal["chatir"]


class PlugirOptions(TuneSettings):
    """PlugIR's way: the text side alone, on reformulated dialogues."""

    kind: Literal["plugir"]


TuneOptions = Annotated[DmclOptions | ChatirOptions | PlugirOptions, Field(discriminator="kind")]


def tuned_encoder(base: EncoderOptions, model: str) -> EncoderOptions:
    """Return the options of the encoder that a tuning made of ``base``: another model, read alike.

    The revision is of the model that it came from, and the image size is in the directory by now.
    """
    own = {"model": model, "revision": None, "image_size": None}
    return base.model_copy(update={name: own[name] for name in own if name in type(base).model_fields})
