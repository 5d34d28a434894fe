"""Loading of diffusers pipelines, and what their ``encode_prompt`` returns."""

import inspect
import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline

from daitir.compute import call_loader, load_weights
from daitir.errors import DaitirError
from daitir.generators import GeneratorOptions

PAIRS = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
# What encode_prompt returns, under the names that the call takes; None is not passed on. All of these pad
# every prompt to one length, so prompts may be read together. Other pipelines get their prompts as texts.
ENCODED: dict[str, tuple[str | None, ...]] = {
    "StableDiffusionPipeline": PAIRS[:2],
    "StableDiffusionXLPipeline": PAIRS,
    "StableDiffusion3Pipeline": PAIRS,
    "FluxPipeline": ("prompt_embeds", "pooled_prompt_embeds", None),
}
LIBRARIES: dict[str, Any] = {"diffusers": diffusers, "transformers": transformers}


def load_pipeline(options: GeneratorOptions) -> Any:
    """Return the pipeline of a model on the CPU; parts whose weights are not complete are refused."""
    folder, dtype = _local_folder(options), getattr(torch, options.dtype)
    parts = {
        name: part and load_weights(part, str(folder), subfolder=name, dtype=dtype)
        for name, part in _parts_to_load(folder).items()
    }
    pipeline = call_loader(DiffusionPipeline.from_pretrained, str(folder), dtype=dtype, **parts)
    takes = inspect.signature(pipeline.__call__).parameters
    if "prompt" not in takes or "image" in takes:
        raise DaitirError(
            f"model {options.model} does not draw from text alone: choose a text-to-image pipeline"
        )
    _set_scheduler(pipeline, options)
    pipeline.set_progress_bar_config(disable=True)
    if hasattr(pipeline, "vae") and hasattr(pipeline.vae, "enable_slicing"):
        pipeline.vae.enable_slicing()  # decodes picture by picture: less memory, and no batch to depend on
    if options.compile:
        name = "transformer" if getattr(pipeline, "transformer", None) is not None else "unet"
        setattr(pipeline, name, torch.compile(getattr(pipeline, name)))
    return pipeline


def text_encoders(pipeline: Any) -> dict[str, Any]:
    """Return the text encoders of a pipeline by name."""
    return {
        name: part
        for name, part in pipeline.components.items()
        if name.startswith("text_encoder") and part is not None
    }


def _local_folder(options: GeneratorOptions) -> Path:
    if Path(options.model).is_dir():
        return Path(options.model)
    return Path(
        call_loader(
            DiffusionPipeline.download, options.model, revision=options.revision, use_safetensors=True
        )
    )


def _parts_to_load(folder: Path) -> dict[str, Any]:
    """Return the classes of the pipeline's models by name, as its index says; None for those it lacks."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DaitirError(
            f"model {folder} has no readable model_index.json ({error}): give a diffusers model"
        ) from None
    parts: dict[str, Any] = {}
    for name, (library, class_) in (
        (name, named) for name, named in index.items() if isinstance(named, list)
    ):
        part = getattr(LIBRARIES.get(library), class_, None) if class_ else None
        if class_ is None or (isinstance(part, type) and issubclass(part, torch.nn.Module)):
            parts[name] = part
    return parts


def _set_scheduler(pipeline: Any, options: GeneratorOptions) -> None:
    if options.scheduler is None:
        return
    scheduler = (
        getattr(diffusers, options.scheduler, None) if options.scheduler.endswith("Scheduler") else None
    )
    if scheduler is None:
        raise DaitirError(
            f"scheduler {options.scheduler!r} is not one of diffusers: mend `scheduler` of the generator"
        )
    pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
