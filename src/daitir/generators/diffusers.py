"""Draws images with any text-to-image pipeline of diffusers."""

import inspect
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from daitir.compute import batches, find_device, pad_batch, use_one_thread
from daitir.errors import DaitirError
from daitir.generators import GeneratorOptions, Order
from daitir.generators.pipelines import ENCODED, load_pipeline, text_encoders

CPU = torch.device("cpu")
Embedding = dict[str, torch.Tensor]


class DiffusersGenerator:
    """Reads every prompt once, lets the text encoders go, then draws in batches of one shape."""

    def __init__(self, options: GeneratorOptions) -> None:
        use_one_thread()
        self.options = options
        self.device = find_device(options.device)
        self.offload = options.offload if self.device != "cpu" else "none"
        self._load()

    def _load(self) -> None:
        self.pipeline = load_pipeline(self.options)
        self.placed = self.released = False
        self.accepted = inspect.signature(self.pipeline.__call__).parameters
        self.reads_first = type(self.pipeline).__name__ in ENCODED
        self.settings = self._settings()

    def draw(self, orders: Sequence[Order]) -> Iterator[list[tuple[Order, Image.Image]]]:
        """Yield the RGB pictures of the orders, batch by batch."""
        if not orders:
            return
        if self.released:
            self._load()
        self._tell_of_cut_prompts({order.prompt for order in orders})
        embeddings = self._read(sorted({order.prompt for order in orders})) if self.reads_first else {}
        self._place()
        for batch in batches(orders, self.options.batch_size):
            rows = pad_batch(batch, self.options.batch_size, self.device)
            images = self._draw(rows, embeddings)[: len(batch)]
            yield list(zip(batch, images, strict=True))

    def _settings(self) -> dict[str, Any]:
        """Return the arguments that every call of the pipeline gets; one that it does not know is refused."""
        options = self.options
        asked: dict[str, Any] = {
            "height": options.height,
            "width": options.width,
            "negative_prompt": options.negative_prompt,
            "max_sequence_length": options.max_sequence_length,
        }
        settings = {name: value for name, value in asked.items() if value is not None}
        settings |= {"num_inference_steps": options.steps, "guidance_scale": options.guidance}
        unknown = [name for name in settings if name not in self.accepted]
        reads = (
            inspect.signature(self.pipeline.encode_prompt).parameters if self.reads_first else self.accepted
        )
        unknown += [name for name in settings.keys() & {"negative_prompt"} if name not in reads]
        if unknown:
            raise DaitirError(
                f"{type(self.pipeline).__name__} of model {options.model} knows no {unknown[0]!r}: remove it"
                " from the generator's options"
            )
        return settings

    def _tell_of_cut_prompts(self, prompts: set[str]) -> None:
        """Print how many prompts are longer than a tokenizer reads: they are drawn from their beginning."""
        for name, tokenizer in self.pipeline.components.items():
            if tokenizer is None or not name.startswith("tokenizer"):
                continue
            is_t5 = "T5" in type(tokenizer).__name__
            limit = (is_t5 and self.options.max_sequence_length) or tokenizer.model_max_length
            cut = sum(len(ids) > limit for ids in tokenizer(sorted(prompts), verbose=False).input_ids)
            if cut:
                told = f"{cut} of {len(prompts)} prompts are longer than the {limit} tokens that {name} reads"
                print(f"note: {told}", file=sys.stderr, flush=True)

    @torch.inference_mode()
    def _read(self, prompts: list[str]) -> dict[str, Embedding]:
        """Return what the text encoders make of each prompt, on the CPU; then let the encoders go."""
        hooked = self.offload != "none"
        if hooked:
            self._place()
        for encoder in [] if hooked else text_encoders(self.pipeline).values():
            encoder.to(self.device)
        shared: Embedding = {}
        found: dict[str, Embedding] = {}
        for batch in batches(prompts, self.options.batch_size):
            rows = self._encode(pad_batch(batch, self.options.batch_size, self.device))
            own = [name for name in rows if not name.startswith("negative_")]
            # Every picture has the same negative prompt: one copy for all.
            shared = shared or {name: rows[name][0].to(CPU, copy=True) for name in rows.keys() - set(own)}
            for place, prompt in enumerate(batch):
                found[prompt] = shared | {name: rows[name][place].to(CPU, copy=True) for name in own}
        if not hooked:
            self.pipeline.register_modules(**dict.fromkeys(text_encoders(self.pipeline)))
            self.released = True
            if self.device == "cuda":
                torch.cuda.empty_cache()
        return found

    def _encode(self, prompts: list[str]) -> Embedding:
        known = inspect.signature(self.pipeline.encode_prompt).parameters
        limit, negative = self.options.max_sequence_length, self.options.negative_prompt
        chosen: dict[str, Any] = {name: None for name in ("prompt_2", "prompt_3") if name in known}
        if "do_classifier_free_guidance" in known:
            chosen["do_classifier_free_guidance"] = self.options.guidance > 1
        if negative is not None:
            chosen["negative_prompt"] = [negative] * len(prompts)
        if limit is not None:
            chosen["max_sequence_length"] = limit
        parts = self.pipeline.encode_prompt(
            prompt=prompts, device=torch.device(self.device), num_images_per_prompt=1, **chosen
        )
        names = ENCODED[type(self.pipeline).__name__]
        return {
            name: part
            for name, part in zip(names, parts, strict=True)
            if name is not None and part is not None
        }

    def _place(self) -> None:
        """Bring the pipeline to its device, once."""
        if self.placed:
            return
        if self.offload == "model":
            self.pipeline.enable_model_cpu_offload(device=self.device)
        elif self.offload == "sequential":
            self.pipeline.enable_sequential_cpu_offload(device=self.device)
        else:
            self.pipeline.to(self.device)
        self.placed = True

    def _draw(self, orders: list[Order], embeddings: dict[str, Embedding]) -> list[Image.Image]:
        settings = dict(self.settings)
        negative = settings.pop("negative_prompt", None)
        if self.reads_first:
            of_orders = [embeddings[order.prompt] for order in orders]
            prompts: dict[str, Any] = {
                name: torch.stack([embedding[name] for embedding in of_orders]).to(self.device)
                for name in of_orders[0]
            }
        else:
            prompts = {"prompt": [order.prompt for order in orders]}
            if negative is not None:
                prompts["negative_prompt"] = [negative] * len(orders)
        # Seeds live on the CPU, so that another kind of GPU starts from the same noise.
        noise = [torch.Generator("cpu").manual_seed(order.seed) for order in orders]
        drawn = self.pipeline(**settings, **prompts, generator=noise, output_type="np")
        flagged = getattr(drawn, "nsfw_content_detected", None) or []
        if any(flagged):
            order = orders[list(flagged).index(True)]
            raise DaitirError(
                f"model {self.options.model} blanked the picture of prompt {order.prompt!r} by its safety"
                " checker: choose a model without one"
            )
        return [self._to_image(pixels, order) for pixels, order in zip(drawn.images, orders, strict=True)]

    def _to_image(self, pixels: np.ndarray, order: Order) -> Image.Image:
        """Return pixels (H x W x 3 in 0..1) as an image."""
        if not np.isfinite(pixels).all():
            raise DaitirError(
                f"model {self.options.model} drew a picture that is not finite from prompt {order.prompt!r}"
                f" (k = {order.k}) in {self.options.dtype}: set `dtype` to bfloat16 or float32"
            )
        return Image.fromarray((pixels * 255).round().astype(np.uint8))
