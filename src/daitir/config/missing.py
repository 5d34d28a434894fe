"""Files that a config names and that are not there: models, templates, code of the user's own."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from daitir.config import Config
from daitir.options import Options

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def missing_files(config: Config) -> Iterator[str]:
    """Yield the model folders and templates that components name and that are not there."""
    for kind in ("reformulators", "generators", "encoders"):
        for name, component in getattr(config, kind).items():
            yield from _missing_files(f"{kind}.{name}", component)
    for name, corpus in config.corpora.items():
        if corpus.judge is not None:
            yield from _missing_code(f"corpora.{name}.judge", corpus.judge)
    for name, fusion in config.fusions.items():
        weights = getattr(fusion, "weights", None)
        if weights is not None and not weights.is_file():
            yield f"fusions.{name}.weights: there is no file {weights}"
    for name, simulation in config.simulations.items():
        for part, options in simulation:
            if isinstance(options, Options):
                yield from _missing_files(f"simulations.{name}.{part}", options)


def _missing_files(path: str, component: Options) -> Iterator[str]:
    if hasattr(component, "function"):
        yield from _missing_code(f"{path}.function", component.function)
    fields = component.only("bytes", "text")
    for field, value in fields.items():
        if field.endswith("_template") and value is not None and not Path(value).is_file():
            yield f"{path}.{field}: there is no file {value}"
        is_loaded = field == "model" and getattr(component, "kind", None) != "openai"
        if is_loaded and not Path(value).is_dir() and not HUB_ID.fullmatch(value):
            yield f"{path}.model: there is no folder {value}, and it is no hub id (owner/name)"


def _missing_code(path: str, function: str) -> Iterator[str]:
    """Yield why the module of ``package.module:Name`` cannot be read; nothing of it is run."""
    module = function.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.origin:
        yield f"{path}: there is no module {module}; mend its name, or put its folder on PYTHONPATH"
        return
    try:
        ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        yield f"{path}: {found.origin} is not Python ({error}): mend it"
