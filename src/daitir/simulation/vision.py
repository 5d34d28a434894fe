"""Models of transformers that see: visual question answering, captioning, image-text-to-text, chat.

Greedy, in batches. On the CPU the texts of an image are the same in every batch, as ``compute`` says: images
are encoded in batches of four rows or more, prompts are padded to a length that follows from their own. That
is not promised where a model cuts an image into tiles or patches of its own number (SmolVLM, Qwen-VL): its
vision tower then sees those of all images in a batch as one long matrix, whose length varies; nor on
accelerators for the same models.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from PIL.Image import Image
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    BlipForConditionalGeneration,
    BlipForQuestionAnswering,
)

from daitir.compute import (
    by_padded_length,
    call_loader,
    find_device,
    load_weights,
    memory_of,
    pad_batch,
    require_own_code,
    require_vocabulary,
    use_one_core,
)
from daitir.errors import DaitirError
from daitir.simulation import TransformersAnswerer


@dataclass(frozen=True)
class Kind:
    """How a kind of model is loaded and asked; None for what it cannot do.

    Prompts are padded to multiples of ``step``, 1 for models that do not mask the padding.
    """

    loader: Any
    caption: str | None
    answer: str | None
    step: int = 32
    chat: bool = False


BLIP_VQA = Kind(BlipForQuestionAnswering, None, "{question}", step=1)
BLIP_CAPTION = Kind(BlipForConditionalGeneration, "", None, step=1)
PROMPTED = Kind(AutoModelForImageTextToText, "a photo of", "Question: {question} Short answer:")
CHAT = Kind(
    AutoModelForImageTextToText,
    "Describe this image in one short sentence.",
    "{question} Answer with one short phrase.",
    chat=True,
)


class VisionModel:
    """Captions images and answers questions about them; a text that was cut off is refused."""

    def __init__(self, options: TransformersAnswerer) -> None:
        use_one_core()
        self.options = options
        self.device = find_device(options.device)
        settings = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
        if options.trust_remote_code:
            require_own_code(options.model, options.revision)
        config = call_loader(AutoConfig.from_pretrained, options.model, **settings)
        self.processor = call_loader(AutoProcessor.from_pretrained, options.model, **settings)
        require_vocabulary(options.model, self.processor.tokenizer)
        self.kind = kind_of(config, self.processor, options)
        self.dtype = getattr(torch, options.dtype)
        with self._memory():
            self.model = load_weights(self.kind.loader, options.model, dtype=self.dtype, **settings).to(
                self.device
            )
        require_image_tokens(self.model, self.processor, options.model)
        language = self.model.config.get_text_config()
        if self.kind.step > 1 and not getattr(language, "is_encoder_decoder", False):
            self.processor.tokenizer.padding_side = "left"
        self.ends = end_tokens(self.model, self.processor.tokenizer)

    def caption(self, images: Sequence[Image]) -> list[str]:
        """Return a caption of each image."""
        prompt = self.options.caption_prompt
        prompt = self.kind.caption if prompt is None else prompt
        if self.kind.caption is None or prompt is None:
            raise DaitirError(
                f"model {self.options.model} ({type(self.model).__name__}) answers questions and writes no"
                " captions: name a `captioner` beside the answerer"
            )
        return self._write(images, [prompt] * len(images))

    def answer(self, images: Sequence[Image], questions: Sequence[str]) -> list[str]:
        """Return the answer to the question about each image."""
        if self.kind.answer is None:
            raise DaitirError(
                f"model {self.options.model} ({type(self.model).__name__}) writes captions and answers no"
                " questions: make it the `captioner` and name another answerer"
            )
        prompt = self.options.answer_prompt or self.kind.answer
        return self._write(images, [prompt.replace("{question}", question) for question in questions])

    def _write(self, images: Sequence[Image], prompts: Sequence[str]) -> list[str]:
        lengths = [
            self._encode([image], [prompt]).input_ids.shape[1]
            for image, prompt in zip(images, prompts, strict=True)
        ]
        texts: dict[int, str] = {}
        for places in by_padded_length(lengths, self.kind.step, self.options.batch_size):
            rows = pad_batch(places, self.options.batch_size, self.device)
            with self._memory():
                written = self._generate(
                    [images[place] for place in rows], [prompts[place] for place in rows]
                )
            texts |= {
                place: self._read(tokens, prompts[place])
                for place, tokens in zip(
                    places, written, strict=False
                )  # the rows that only fill up are dropped
            }
        return [texts[place] for place in range(len(images))]

    def _memory(self) -> AbstractContextManager[None]:
        return memory_of(self.options.model, self.device, "lower `batch_size`, or set another `device`")

    def _encode(self, images: list[Image], prompts: list[str]) -> Any:
        settings = {"padding": True, "pad_to_multiple_of": self.kind.step, "return_tensors": "pt"}
        if not self.kind.chat:
            return self.processor(images=images, text=prompts, **settings)
        chats = [
            [
                {
                    "role": "user",
                    "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}],
                }
            ]
            for image, prompt in zip(images, prompts, strict=True)
        ]
        return self.processor.apply_chat_template(
            chats, add_generation_prompt=True, tokenize=True, return_dict=True, processor_kwargs=settings
        )

    @torch.inference_mode()
    def _generate(self, images: list[Image], prompts: list[str]) -> list[list[int]]:
        """Return the new tokens of each row; some models give back the prompt before them."""
        inputs = self._encode(images, prompts).to(self.device, self.dtype)
        written = self.model.generate(
            **inputs,
            do_sample=False,
            num_beams=1,
            max_new_tokens=self.options.max_new_tokens,
            min_new_tokens=1,
        )
        given = inputs.input_ids[:, :-1] if self.kind is BLIP_CAPTION else inputs.input_ids
        length = given.shape[1]
        # The first token may have been exchanged for the one that begins a caption.
        repeated = written.shape[1] >= length and torch.equal(written[:, 1:length], given[:, 1:])
        starts = length if repeated and self.kind is not BLIP_VQA else 1 if self.kind is BLIP_VQA else 0
        return written[:, starts:].tolist()

    def _read(self, tokens: list[int], prompt: str) -> str:
        text = self.processor.tokenizer.decode(tokens, skip_special_tokens=True)
        if tokens and tokens[-1] not in self.ends:
            raise DaitirError(
                f"model {self.options.model} was cut off after max_new_tokens ({self.options.max_new_tokens})"
                f" at {prompt[:60]!r}: {text[:60]!r}; raise it, or set another prompt: the"
                " simulation then starts anew"
            )
        return text


def kind_of(config: Any, processor: Any, options: TransformersAnswerer) -> Kind:
    """Return what a model is by its config; what cannot be asked about images is refused."""
    architecture = (getattr(config, "architectures", None) or [type(config).__name__])[0]
    blips = {"BlipForQuestionAnswering": BLIP_VQA, "BlipForConditionalGeneration": BLIP_CAPTION}
    if architecture in blips:
        return blips[architecture]
    known = type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and config.model_type != "blip"
    if not known and not options.trust_remote_code:
        raise DaitirError(
            f"model {options.model} is a {architecture}, which writes no answers about images: give a model"
            " for image-text-to-text (BLIP-2, LLaVA, Qwen-VL and the like), or BLIP's for visual question"
            " answering"
        )
    return CHAT if getattr(processor, "chat_template", None) else PROMPTED


def require_image_tokens(model: Any, processor: Any, name: str) -> None:
    """Let BLIP-2's processor write a token for each query of the image, those that the model looks for."""
    if model.config.model_type != "blip-2":
        return
    processor.num_query_tokens = model.config.num_query_tokens
    token = processor.tokenizer.convert_tokens_to_ids(str(processor.image_token))
    if token != model.config.image_token_index:
        raise DaitirError(
            f"model {name} looks for the image at token {model.config.image_token_index}, but its processor"
            f" writes {token}: give a model directory whose config and processor belong together"
        )


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Return the tokens at the end of a finished text: those that end it and those that fill up."""
    parts = [model, getattr(model, "language_model", None), getattr(model, "text_decoder", None)]
    settings = [part.generation_config for part in parts if getattr(part, "generation_config", None)]
    settings += [model.config.get_text_config(), tokenizer]
    found: set[int | None] = set()
    for setting in settings:
        for key in ("eos_token_id", "sep_token_id", "pad_token_id"):
            value = getattr(setting, key, None)
            found |= set(value if isinstance(value, list) else [value])
    return {token for token in found if token is not None}
