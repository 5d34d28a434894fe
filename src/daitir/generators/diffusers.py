"""Draws images with any text-to-image pipeline of diffusers."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image

from daitir.compute import batches, find_device, memory_of, pad_batch, says_no_memory, use_one_core
from daitir.errors import DaitirError
from daitir.generators import DiffusersOptions, Order
from daitir.generators.arguments import ENCODED, Arguments
from daitir.generators.pipelines import load_pipeline, text_encoders
from daitir.memory import FittingBatches

ADVICE = "lower `batch_size`, or set `offload` to model"
CPU = torch.device("cpu")
Embedding = dict[str, torch.Tensor]


class DiffusersGenerator:
    """Reads every prompt once, lets the text encoders go, then draws in batches of one shape."""

    def __init__(self, options: DiffusersOptions) -> None:
        use_one_core()
        self.options = options
        self.device = find_device(options.device)
        self.offload = options.offload if self.device != "cpu" else "none"
        self.fitting = FittingBatches(options.batch_size, options.model, self.device, ADVICE)
        self._load()

    def _load(self) -> None:
        self.pipeline = load_pipeline(self.options, self.device)
        self.arguments = Arguments(self.pipeline, self.options)
        self.placed = self.released = False

    def draw(self, orders: Sequence[Order]) -> Iterator[list[tuple[Order, Image.Image]]]:
        """Yield the RGB pictures of the orders, batch by batch."""
        if not orders:
            return
        if self.released:
            self._load()
        prompts = sorted({order.prompt for order in orders})
        embeddings = self._read(prompts) if self.arguments.read_first else {}
        self._place()
        for batch, images in self.fitting.run(orders, lambda rows: self._draw(rows, embeddings)):
            yield list(zip(batch, images, strict=True))

    @property
    def lowered(self) -> int | None:
        """Size of the batches drawn, where memory does not suffice for the one asked for."""
        return self.fitting.lowered

    def cut_prompts(self, prompts: Sequence[str]) -> set[str]:
        """Return the prompts that no text encoder reads to their end; say how many each of them cuts.

        A prompt that is cut is drawn from its beginning.
        """
        texts = sorted(set(prompts))
        unread = set(texts)
        for name, tokenizer in self.pipeline.components.items():
            if tokenizer is None or not name.startswith("tokenizer"):
                continue
            before, room, limit = self._room_for_text(tokenizer)
            tokens = tokenizer([before + text for text in texts], verbose=False).input_ids
            cut = {text for text, ids in zip(texts, tokens, strict=True) if len(ids) > room}
            unread &= cut
            if cut:
                told = (
                    f"{len(cut)} of {len(texts)} prompts are longer than the {limit} tokens that {name} reads"
                )
                print(f"note: {told}", file=sys.stderr, flush=True)
        return unread

    def _room_for_text(self, tokenizer: Any) -> tuple[str, int, int]:
        """Return what is read before a text, how many tokens of both are read, and how many of a text.

        It is ``max_sequence_length``, but CLIP has a limit of its own. SANA's pipeline reads an instruction
        before every prompt and makes room for all of it but two tokens.
        """
        limit = self.arguments.value("max_sequence_length")
        if limit is None or "CLIP" in type(tokenizer).__name__:
            limit = int(tokenizer.model_max_length)
        before = "\n".join(self.arguments.value("complex_human_instruction") or [])
        room = limit + (len(tokenizer(before).input_ids) - 2 if before else 0)
        return before, room, limit

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
        with memory_of(self.options.model, self.device, ADVICE), self._faults_named():
            parts = self.pipeline.encode_prompt(
                device=torch.device(self.device), **self.arguments.of_encoding(prompts)
            )
        names = ENCODED[self.arguments.name]
        return {
            name: part
            for name, part in zip(names, parts, strict=True)
            if name is not None and part is not None
        }

    def _place(self) -> None:
        """Bring the pipeline to its device, once."""
        if self.placed:
            return
        with memory_of(self.options.model, self.device, ADVICE):
            if self.offload == "model":
                self.pipeline.enable_model_cpu_offload(device=self.device)
            elif self.offload == "sequential":
                self.pipeline.enable_sequential_cpu_offload(device=self.device)
            else:
                self.pipeline.to(self.device)
        self.placed = True

    def _draw(self, orders: list[Order], embeddings: dict[str, Embedding]) -> list[Image.Image]:
        given = self.arguments.of_call([order.prompt for order in orders])
        if embeddings:
            of_orders = [embeddings[order.prompt] for order in orders]
            given |= {
                name: torch.stack([embedding[name] for embedding in of_orders]).to(self.device)
                for name in of_orders[0]
            }
        # Seeds live on the CPU, so that another kind of GPU starts from the same noise.
        noise = [torch.Generator("cpu").manual_seed(order.seed) for order in orders]
        with self._faults_named():
            drawn = self.pipeline(**given, generator=noise, output_type="np")
        flagged = getattr(drawn, "nsfw_content_detected", None) or []
        if any(flagged):
            order = orders[list(flagged).index(True)]
            raise DaitirError(
                f"model {self.options.model} blanked the picture of prompt {order.prompt!r} by its safety"
                " checker: choose a model without one, or load this one `without: [safety_checker]`"
            )
        return [self._to_image(pixels, order) for pixels, order in zip(drawn.images, orders, strict=True)]

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        """Turn what a pipeline complains of into one line that names the model; a lack of memory passes."""
        try:
            yield
        except (ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
            if isinstance(error, RuntimeError) and says_no_memory(error):
                raise
            raise DaitirError(
                f"{self.arguments.name} of model {self.options.model} does not draw with these options"
                f" ({str(error)[:300]}): mend the generator"
            ) from error

    def _to_image(self, pixels: np.ndarray, order: Order) -> Image.Image:
        """Return pixels (H x W x 3 in 0..1) as an image."""
        if not np.isfinite(pixels).all():
            raise DaitirError(
                f"model {self.options.model} drew a picture that is not finite from prompt {order.prompt!r}"
                f" (k = {order.k}) in {self.options.dtype}: set `dtype` to bfloat16 or float32"
            )
        return Image.fromarray((pixels * 255).round().astype(np.uint8))
