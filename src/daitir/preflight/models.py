"""The models of a config: every directory and hub id that a component loads, and where it is."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daitir.config import Config
from daitir.options import Options
from daitir.preflight.completeness import lacking_in
from daitir.preflight.findings import Finding
from daitir.preflight.hub import Hub, is_hub_id
from daitir.preflight.table import gigabytes

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Model:
    """A model that a component loads; ``without`` are parts of a pipeline that it leaves alone.

    A model that ``is_local`` is a directory and never a hub id.
    """

    key: str
    name: str
    revision: str | None
    without: tuple[str, ...] = ()
    is_local: bool = False

    @property
    def label(self) -> str:
        """The name, with its revision behind it."""
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


def components(config: Config) -> Iterator[tuple[str, Options]]:
    """Yield every component that computes or is published, under the path of its key."""
    for kind in ("reformulators", "generators", "encoders"):
        for name, component in getattr(config, kind).items():
            yield f"{kind}.{name}", component
    for name, simulation in config.simulations.items():
        for part in ("questioner", "answerer", "captioner"):
            if getattr(simulation, part) is not None:
                yield f"simulations.{name}.{part}", getattr(simulation, part)


def models_of(config: Config) -> list[Model]:
    """Return what the components load; a model that a server runs is not among them."""
    return [
        Model(
            key,
            component.model,
            getattr(component, "revision", None),
            tuple(getattr(component, "without", ())),
            is_local=not hasattr(component, "revision"),
        )
        for key, component in components(config)
        if hasattr(component, "model") and not hasattr(component, "base_url")
    ]


def check_models(config: Config, hub: Hub) -> list[Finding]:
    """Return a finding a model; components that share one share the look."""
    return [finding for model in models_of(config) for finding in _check(model, hub)]


def _check(model: Model, hub: Hub) -> Iterator[Finding]:
    folder = Path(model.name)
    if folder.is_dir():
        fault = lacking_in(folder, model.without)
        yield Finding(
            "models",
            model.key,
            model.name,
            "missing" if fault else "there",
            f"{fault}: give a complete model directory" if fault else "local directory",
        )
        return
    if model.is_local:
        told = "there is no such folder: convert or copy the model to it"
        yield Finding("models", model.key, model.name, "missing", told)
        return
    entry = hub.look(model.name, model.revision, model.without)
    state: Any = "there" if entry.state == "cached" else entry.state
    size = f"{gigabytes(entry.size)} GB" if entry.size else ""
    detail = "; ".join(filter(None, [size, entry.detail]))
    yield Finding("models", model.key, model.label, state, detail)
    if is_hub_id(model.name) and not COMMIT.fullmatch(model.revision or ""):
        yield Finding("models", model.key, model.label, "note", _advice(model.revision, entry.commit))


def _advice(revision: str | None, commit: str | None) -> str:
    what = "not pinned" if revision is None else f"{revision} may move"
    return f"{what}: write `revision: {commit or '<the commit>'}`"


def reader(config_model: Model, hub: Hub) -> Any:
    """Return a function that reads a JSON file of a model by name; None where it is not to be had."""
    folder = Path(config_model.name)

    def read(name: str) -> Any:
        if not folder.is_dir():
            return hub.read_json(config_model.name, config_model.revision, name)
        try:
            return json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    return read
