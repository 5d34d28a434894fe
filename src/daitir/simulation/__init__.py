"""Simulated dialogues: who asks (a chat model that sees no image) and who answers (a model that does).

After ChatIR (Levy et al., 2023), where a language model asked and BLIP-2 answered.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import AfterValidator, Field

from daitir.chat import OpenAIChatOptions, TransformersChatOptions
from daitir.options import Device, Dtype, Options, how

if TYPE_CHECKING:
    from PIL.Image import Image

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def _check_function(name: str) -> str:
    if not FUNCTION.fullmatch(name):
        raise ValueError("write it as package.module:Name")
    return name


def _check_answer_prompt(prompt: str | None) -> str | None:
    if prompt is not None and prompt.count("{question}") != 1:
        raise ValueError("it must hold {question} once")
    return prompt


class Questioning(Options):
    """What a chat model that asks has beside the rest."""

    question_template: Path | None = None  # a Jinja file; None: this package's
    attempts: int = how(5, ge=1)  # a question once accepted is the same under any number of them


class TransformersQuestioner(Questioning, TransformersChatOptions):
    """A chat model of transformers, loaded by the stage itself."""


class OpenAIQuestioner(Questioning, OpenAIChatOptions):
    """A chat model behind an OpenAI-compatible server."""


class TransformersAnswerer(Options):
    """A model of transformers that sees: for visual question answering, or image-text-to-text.

    Unset prompts are those that suit the kind of model: BLIP-2 was trained on "Question: ... Short answer:".
    """

    kind: Literal["transformers"]
    model: str
    revision: str | None = None
    caption_prompt: str | None = None
    answer_prompt: Annotated[str | None, AfterValidator(_check_answer_prompt)] = None
    max_new_tokens: int = Field(64, ge=1)
    dtype: Dtype = "float32"
    trust_remote_code: bool = False
    batch_size: int = how(8, ge=1)
    device: Device = how("auto")
    per_second: float | None = how(None, gt=0.0)  # answers a second, for estimates alone


class PythonAnswerer(Options):
    """Code of one's own, ``package.module:Name``: a class made without arguments, an ``Answerer``."""

    kind: Literal["python"]
    function: Annotated[str, AfterValidator(_check_function)]
    batch_size: int = how(64, ge=1)


QuestionerOptions = Annotated[TransformersQuestioner | OpenAIQuestioner, Field(discriminator="kind")]
AnswererOptions = Annotated[TransformersAnswerer | PythonAnswerer, Field(discriminator="kind")]


class SimulationOptions(Options):
    """Who asks and who answers, about how many targets of the corpus, in how many turns.

    The first turn is the caption, by ``captioner`` or, without one, by the answerer. ``targets`` of the
    corpus are drawn by name, and a larger number keeps the smaller; None takes all.
    """

    questioner: QuestionerOptions
    answerer: AnswererOptions
    captioner: AnswererOptions | None = None
    rounds: int = Field(11, ge=1)
    targets: int | None = Field(None, ge=1)
    seed: int = 0


class Answerer(Protocol):
    """Sees images: captions them and answers questions about them, each text for its own image alone."""

    def caption(self, images: "Sequence[Image]") -> list[str]:
        """Return a short caption of each image."""

    def answer(self, images: "Sequence[Image]", questions: Sequence[str]) -> list[str]:
        """Return the answer to the question about each image."""
