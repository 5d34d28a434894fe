"""Faults of a config that no single key shows: names that nothing has, parts that do not fit together."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daitir.config import Config
from daitir.config.parts import DialogueSet, System
from daitir.fusions import PRESETS
from daitir.options import Options

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def faults_of(config: Config) -> Iterator[str]:
    """Yield the faults, each beginning with the path of its key."""
    for name in sorted(set(config.fusions) & set(PRESETS)):
        yield f"fusions.{name}: this name is built in, choose another"
    for name, simulation in config.simulations.items():
        yield from _unknown(f"simulations.{name}.corpus", simulation.corpus, config.corpora, "corpus")
    for name, dialogues in config.dialogues.items():
        yield from _faults_of_dialogues(config, f"dialogues.{name}", dialogues)
    for place, evaluated in enumerate(config.evaluate):
        yield from _unknown(f"evaluate.{place}", evaluated, config.dialogues, "dialogue set")
        drawn = config.dialogues[evaluated].rounds_per_dialogue if evaluated in config.dialogues else None
        if drawn is not None and drawn < config.dialogues[evaluated].rounds:
            yield f"dialogues.{evaluated}.rounds_per_dialogue: {evaluated!r} is evaluated in every round"
        if not config.systems_on(evaluated):
            yield f"evaluate.{place}: no system is measured on {evaluated!r}; name it in one's `dialogues`"
    yield from _faults_of_fusions(config)
    for name, system in config.systems.items():
        yield from _faults_of_system(config, f"systems.{name}", system)
    for place, expected in enumerate(config.report.expected):
        path = f"report.expected.{place}"
        yield from _unknown(f"{path}.system", expected.system, config.systems, "system")
        yield from _unknown(f"{path}.dialogues", expected.dialogues, config.dialogues, "dialogue set")
        if expected.dialogues in config.dialogues:
            rounds = config.dialogues[expected.dialogues].rounds
            yield from (f"{path}.{fault}" for fault in expected.faults(config.report.hits, rounds))


def _faults_of_dialogues(config: Config, path: str, dialogues: DialogueSet) -> Iterator[str]:
    yield from _unknown(f"{path}.corpus", dialogues.corpus, config.corpora, "corpus")
    if dialogues.round_0_from is None:
        return
    key = f"{path}.round_0_from"
    yield from _unknown(key, dialogues.round_0_from, config.dialogues, "dialogue set")
    other = config.dialogues.get(dialogues.round_0_from)
    if other is None:
        return
    if other is dialogues or other.round_0_from is not None:
        yield f"{key}: {dialogues.round_0_from!r} must make its own round 0; name another set"
    if other.corpus != dialogues.corpus:
        yield f"{key}: {dialogues.round_0_from!r} searches another corpus, so its targets are others"


def _faults_of_fusions(config: Config) -> Iterator[str]:
    for name, fusion in config.fusions.items():
        if getattr(fusion, "weights", "none needed") is None:
            yield f"fusions.{name}.weights: missing, write the file that `daitir.convert adafuse` made"
        recipe = config.recipe(name)
        if recipe is not None:
            path = f"fusions.{name}.train.dialogues"
            yield from _unknown(path, recipe.dialogues, config.dialogues, "dialogue set")
            if recipe.dialogues in config.evaluate:
                yield f"{path}: {recipe.dialogues!r} is evaluated too; train on others"


def _faults_of_system(config: Config, path: str, system: System) -> Iterator[str]:
    unknown = [
        *_unknown(f"{path}.encoder", system.encoder, config.encoders, "encoder"),
        *_unknown(f"{path}.queries", system.queries, config.reformulators, "reformulator"),
        *_unknown(f"{path}.method", system.method, config.methods, "fusion"),
    ]
    for place, name in enumerate(system.dialogues or ()):
        unknown += _unknown(
            f"{path}.dialogues.{place}", name, dict.fromkeys(config.evaluate), "evaluated dialogue set"
        )
    if system.baseline is not None:
        unknown += _unknown(f"{path}.baseline", system.baseline, config.systems, "system")
    if system.images is not None:
        unknown += _unknown(f"{path}.images", system.images, config.generators, "generator")
    yield from unknown
    if unknown:
        return
    measured_on = [name for name in config.evaluate if system.is_measured_on(name)]
    if system.baseline is not None:
        for name in measured_on:
            if not config.systems[system.baseline].is_measured_on(name):
                yield f"{path}.baseline: {system.baseline!r} is not measured on {name!r}: name it there too"
    recipe = config.recipe(system.method)
    used = [*measured_on, *([recipe.dialogues] if recipe else [])]
    yield from _unpublished(f"reformulators.{system.queries}.files", config, system.queries, used)
    yield from _faults_of_images(config, path, system, used)


def _faults_of_images(config: Config, path: str, system: System, used: list[str]) -> Iterator[str]:
    fusion = config.fusion_of(system)
    if fusion.uses_images and system.images is None:
        yield f"{path}.images: missing, method {system.method!r} looks at generated images: name a generator"
    if system.images is not None and not fusion.uses_images:
        yield f"{path}.images: method {system.method!r} looks at no generated images: remove the key"
    if system.images is None:
        return
    yield from _unpublished(f"generators.{system.images}.folders", config, system.images, used)
    wanted = config.generators[system.images].images
    seen = getattr(fusion, "images", None)
    if seen is not None and seen > wanted:
        yield (
            f"{path}.method: {system.method!r} looks at {seen} images a round, but"
            f" generators.{system.images} draws {wanted}: raise its `images`"
        )
    written = config.reformulators[system.queries].prompts
    draws = not hasattr(config.generators[system.images], "folders")
    if draws and wanted > written:
        yield (
            f"generators.{system.images}.images: {wanted} images a round, but"
            f" reformulators.{system.queries} writes {written} prompts: raise its `prompts`"
        )


def _unpublished(path: str, config: Config, component: str, used: list[str]) -> Iterator[str]:
    """Yield the dialogue sets that a component of published material has nothing for."""
    kind, field = path.split(".")[0], path.split(".")[-1]
    published = getattr(getattr(config, kind)[component], field, None)
    if published is None:
        return
    for name in used:
        if name not in published:
            there_are = ", ".join(sorted(published)) or "none"
            yield f"{path}: nothing for the dialogue set {name!r}; there are {there_are}"


def missing_files(config: Config) -> Iterator[str]:
    """Yield the model folders and templates that components name and that are not there."""
    for kind in ("reformulators", "generators", "encoders"):
        for name, component in getattr(config, kind).items():
            yield from _missing_files(f"{kind}.{name}", component)
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
        yield from _missing_code(path, component.function)
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
        yield f"{path}.function: there is no module {module}; mend its name, or put its folder on PYTHONPATH"
        return
    try:
        ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        yield f"{path}.function: {found.origin} is not Python ({error}): mend it"


def _unknown(path: str, name: str, known: dict[str, Any], what: str) -> Iterator[str]:
    if name not in known:
        there_are = ", ".join(sorted(known)) or "none"
        yield f"{path}: no {what} is called {name!r}; there are {there_are}"
