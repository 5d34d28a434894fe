"""What a job needs to run, and how fast its results come: GPUs, processes, batch sizes, devices.

Nothing here changes bytes. A params function that asks for ``resources`` is not compared by Snakemake, so
that a change redoes nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

from daitir.files import canonical_json
from daitir.options import Options
from daitir.planning.view import View


def gigabytes(count: int) -> Callable[[Any, int], int]:
    """Return a resources function: so much memory in MB, twice as much at the second attempt, and so on."""
    return lambda wildcards, attempt: 1_000 * count * attempt


def hours(count: int) -> Callable[[Any, int], int]:
    """Return a resources function: so many hours in minutes, twice as many from the second attempt on."""
    return lambda wildcards, attempt: 60 * count * min(attempt, 2)


class JobResources(View):
    """What the rules hand to the stages as ``--how``, and ask the machine or the cluster for."""

    def how(self, kind: str, wildcard: str) -> Any:
        """Return a params function with the ``how`` settings of the component that a wildcard names."""

        def settings(wildcards: Any, resources: Any) -> str:
            return canonical_json({kind: self._component(kind, getattr(wildcards, wildcard)).only("how")})

        return settings

    def how_to_tune(self, w: Any, resources: Any) -> str:
        """Return the ``how`` settings of the further training of an encoder."""
        base, recipe = self.config.base_encoder(w.encoder), self._tuned(w).train
        return canonical_json({"encoder": base.only("how"), "tune": recipe.only("how")})

    def launcher(self, w: Any, resources: Any) -> str:
        """Return what starts the further training: Python, or as many processes of it as are asked for."""
        count = self.processes(w)
        return (
            "python"
            if count == 1
            else f"python -m torch.distributed.run --standalone --nproc-per-node {count}"
        )

    def processes(self, w: Any) -> int:
        """Number of processes that share the further training of an encoder, and of their CPUs."""
        return self._tuned(w).train.processes

    def gpu(self, kind: str, wildcard: str) -> Any:
        """Return a resources function: one GPU for a component, none if all of it runs on the CPU."""

        def needed(wildcards: Any) -> int:
            return int(_needs_gpu(self._component(kind, getattr(wildcards, wildcard))))

        return needed

    def gpus_to_tune(self, w: Any) -> int:
        """Return the GPUs for the further training of an encoder: one a process."""
        return self.processes(w) if _needs_gpu(self.config.base_encoder(w.encoder)) else 0

    def _component(self, kind: str, name: str) -> Options:
        if kind == "encoder":
            return self.config.base_encoder(name)
        component: Options = getattr(self.config, f"{kind}s")[name]
        return component


def _needs_gpu(component: Options) -> bool:
    return any(device != "cpu" for device in _devices(component))


def _devices(component: Options) -> Iterator[str]:
    """Yield the devices that a component and the components in it compute on."""
    for field in type(component).model_fields:
        value = getattr(component, field)
        if isinstance(value, Options):
            yield from _devices(value)
        elif field == "device":
            yield value
