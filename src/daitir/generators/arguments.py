"""What the call of a diffusers pipeline and its ``encode_prompt`` are given.

Everything follows from the options and from the pipeline's own signatures, nothing from a model's name. What
a pipeline does not know, or would ignore, is refused by its name.
"""

import inspect
from collections.abc import Sequence
from typing import Any

from daitir.errors import DaitirError
from daitir.generators import DiffusersOptions

PAIRS = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
# What encode_prompt returns, under the names that the call takes; None is not passed on. All of these pad
# every prompt to one length, so prompts may be read together. Other pipelines get their prompts as texts.
ENCODED: dict[str, tuple[str | None, ...]] = {
    "StableDiffusionPipeline": PAIRS[:2],
    "StableDiffusionXLPipeline": PAIRS,
    "StableDiffusion3Pipeline": PAIRS,
    "FluxPipeline": ("prompt_embeds", "pooled_prompt_embeds", None),
    "SanaSprintPipeline": ("prompt_embeds", "prompt_attention_mask"),
}
OPTION_OF = {
    "height": "height",
    "width": "width",
    "negative_prompt": "negative_prompt",
    "max_sequence_length": "max_sequence_length",
    "num_inference_steps": "steps",
    "guidance_scale": "guidance",
}
# Arguments that follow from the orders: no setting may name them.
OWN = {"prompt", "generator", "output_type", "return_dict", "num_images_per_prompt", "latents"}


class Arguments:
    """The arguments of one pipeline under one set of options."""

    def __init__(self, pipeline: Any, options: DiffusersOptions) -> None:
        self.pipeline, self.options = pipeline, options
        self.name = type(pipeline).__name__
        self.known = inspect.signature(pipeline.__call__).parameters
        self.read_first = self.name in ENCODED
        self.encoded = inspect.signature(pipeline.encode_prompt).parameters if self.read_first else {}
        self.settings = self._settings()

    def of_call(self, prompts: Sequence[str]) -> dict[str, Any]:
        """Return the arguments of a call; the texts are among them unless they were read before."""
        given = {name: value for name, value in self.settings.items() if name != "negative_prompt"}
        if not self.read_first:
            given["prompt"] = list(prompts)
            if "negative_prompt" in self.settings:
                given["negative_prompt"] = [self.settings["negative_prompt"]] * len(prompts)
        return given

    def of_encoding(self, prompts: Sequence[str]) -> dict[str, Any]:
        """Return the arguments of ``encode_prompt``: those that the call itself would pass on."""
        given = {name: self.value(name) for name in self.encoded if name in self.known}
        given |= {"prompt": list(prompts), "num_images_per_prompt": 1}
        if "do_classifier_free_guidance" in self.encoded:
            given["do_classifier_free_guidance"] = self.options.guidance > 1
        if "negative_prompt" in self.settings:
            given["negative_prompt"] = [self.settings["negative_prompt"]] * len(prompts)
        return given

    def value(self, name: str) -> Any:
        """Return the value of an argument: as set, or as the call has it by itself; None if it has none."""
        default = self.known[name].default if name in self.known else None
        return self.settings.get(name, None if default is inspect.Parameter.empty else default)

    def _settings(self) -> dict[str, Any]:
        asked: dict[str, Any] = {
            name: getattr(self.options, option)
            for name, option in OPTION_OF.items()
            if getattr(self.options, option) is not None
        }
        for name in self.options.settings:
            if name in OPTION_OF:
                self._refuse(f"takes {name!r} from the option `{OPTION_OF[name]}`: write that instead")
            if name in OWN:
                self._refuse(f"gets its {name!r} from the queries: remove it from `settings`")
        asked |= self.options.settings
        unknown = [name for name in asked if name not in self.known]
        reads = self.encoded if self.read_first else self.known
        unknown += [name for name in asked.keys() & {"negative_prompt"} if name not in reads]
        if unknown:
            written = OPTION_OF.get(unknown[0], unknown[0])
            self._refuse(f"knows no {written!r}: remove it from the generator's options")
        if self.options.guidance and self._ignores_guidance():
            self._refuse("ignores `guidance`, its model is distilled without one: set it to 0")
        return asked

    def _ignores_guidance(self) -> bool:
        """Tell whether the call takes a guidance that its model does not read, as that of FLUX schnell."""
        transformer = getattr(self.pipeline, "transformer", None)
        return "true_cfg_scale" in self.known and not getattr(transformer, "config", {}).get(
            "guidance_embeds", True
        )

    def _refuse(self, why: str) -> None:
        raise DaitirError(f"{self.name} of model {self.options.model} {why}")
