"""Loading of diffusers pipelines: every part from safetensors, complete, and no foreign code."""

import inspect
import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline

from daitir.compute import call_loader, load_weights, require_vocabulary
from daitir.errors import DaitirError
from daitir.generators import DiffusersOptions

LIBRARIES: dict[str, Any] = {"diffusers": diffusers, "transformers": transformers}
# Parts that a pipeline does without although diffusers does not list them as optional.
ALSO_OPTIONAL = {"StableDiffusion3Pipeline": ("text_encoder_3", "tokenizer_3")}


def load_pipeline(options: DiffusersOptions, device: str) -> Any:
    """Return the pipeline of a model on the CPU; parts whose weights are not complete are refused."""
    folder, dtype = _local_folder(options), getattr(torch, options.dtype)
    index = _read_index(folder)
    _refuse_needed_parts(index, options)
    lacks = dict.fromkeys(options.without)
    parts = {
        name: part and load_weights(part, str(folder), subfolder=name, dtype=dtype)
        for name, part in (_parts_to_load(index) | lacks).items()
    }
    pipeline = call_loader(
        DiffusionPipeline.from_pretrained, str(folder), dtype=dtype, use_safetensors=True, **parts
    )
    for name, part in pipeline.components.items():
        if name.startswith("tokenizer") and part is not None:
            require_vocabulary(options.model, part)
    takes = inspect.signature(pipeline.__call__).parameters
    if "prompt" not in takes or "image" in takes:
        raise DaitirError(
            f"model {options.model} does not draw from text alone: choose a text-to-image pipeline"
        )
    _set_scheduler(pipeline, options)
    pipeline.set_progress_bar_config(disable=True)
    _set_decoder(pipeline, options, device)
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


def _local_folder(options: DiffusersOptions) -> Path:
    if Path(options.model).is_dir():
        return Path(options.model)
    return Path(
        call_loader(
            DiffusionPipeline.download,
            options.model,
            revision=options.revision,
            use_safetensors=True,
            **dict.fromkeys(options.without),  # is not fetched either
        )
    )


def _read_index(folder: Path) -> dict[str, Any]:
    """Return what a model consists of: its pipeline's class and its parts."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        name = index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DaitirError(
            f"model {folder} has no readable model_index.json ({error}): give a diffusers model"
        ) from None
    if not isinstance(name, str) or not inspect.isclass(getattr(diffusers, name, None)):
        raise DaitirError(f"model {folder} is drawn by {name!r}, which is no pipeline of diffusers")
    _refuse_foreign_parts(folder, index)
    return index


def _refuse_foreign_parts(folder: Path, index: dict[str, Any]) -> None:
    """Refuse parts of any other module: diffusers would import it, from the model or from anywhere."""
    for part, named in index.items():
        library = named[0] if isinstance(named, list) and named else None
        own = isinstance(library, str) and hasattr(diffusers.pipelines, library)
        if library is not None and library not in LIBRARIES and not own:
            raise DaitirError(
                f"part {part!r} of model {folder} is made by {str(library)[:100]!r}, which is neither"
                " diffusers nor transformers: no other code is run; choose another model"
            )


def _refuse_needed_parts(index: dict[str, Any], options: DiffusersOptions) -> None:
    name = index["_class_name"]
    optional = {*getattr(diffusers, name)._optional_components, *ALSO_OPTIONAL.get(name, ())}
    needed = [part for part in options.without if part not in optional]
    if needed:
        raise DaitirError(
            f"{name} of model {options.model} cannot do without {needed[0]!r}: `without` may name"
            f" {', '.join(sorted(optional)) or 'nothing'}"
        )


def _parts_to_load(index: dict[str, Any]) -> dict[str, Any]:
    """Return the classes of the pipeline's models by name, as its index says; None for those it lacks."""
    parts: dict[str, Any] = {}
    pairs = ((name, named) for name, named in index.items() if isinstance(named, list) and len(named) == 2)
    for name, (library, class_) in pairs:
        part = getattr(LIBRARIES.get(library), class_, None) if class_ else None
        if class_ is None or (isinstance(part, type) and issubclass(part, torch.nn.Module)):
            parts[name] = part
    return parts


def _set_scheduler(pipeline: Any, options: DiffusersOptions) -> None:
    """Give the pipeline another scheduler, or its own with other settings."""
    scheduler: Any = type(pipeline.scheduler)
    if options.scheduler is not None:
        known = options.scheduler.endswith("Scheduler")
        scheduler = getattr(diffusers, options.scheduler, None) if known else None
    if scheduler is None:
        raise DaitirError(
            f"scheduler {options.scheduler!r} is not one of diffusers: mend `scheduler` of the generator"
        )
    takes = inspect.signature(scheduler.__init__).parameters
    unknown = [name for name in options.scheduler_settings if name not in takes]
    if unknown:
        raise DaitirError(
            f"{scheduler.__name__} knows no {unknown[0]!r}: mend `scheduler_settings` of the generator"
        )
    if options.scheduler is not None or options.scheduler_settings:
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, **options.scheduler_settings)


def _set_decoder(pipeline: Any, options: DiffusersOptions, device: str) -> None:
    """Let the decoder work picture by picture or tile by tile, as asked.

    On the CPU it always works picture by picture: that takes less memory and is no slower, and its bits
    then depend on no batch.
    """
    vae: Any = getattr(pipeline, "vae", None)
    if (options.vae_slicing or device == "cpu") and hasattr(vae, "enable_slicing"):
        vae.enable_slicing()
    if options.vae_tiling:
        if not hasattr(vae, "enable_tiling"):
            raise DaitirError(f"the decoder of model {options.model} knows no tiles: remove `vae_tiling`")
        vae.enable_tiling()
