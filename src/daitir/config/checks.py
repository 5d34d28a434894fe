"""Faults of a config that no single key shows: names that nothing has, parts that do not fit together."""

from collections.abc import Iterator
from typing import Any

from daitir.config import Config
from daitir.config.parts import DialogueSet, Oracle, System, TunedEncoder
from daitir.fusions import PRESETS
from daitir.tuning import TUNABLE


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
    for name in config.encoders:
        yield from _faults_of_tuning(config, f"encoders.{name}", config.tuned(name))
    for name, system in config.systems.items():
        yield from _faults_of_system(config, f"systems.{name}", system)
    for name, oracle in config.oracles.items():
        yield from _faults_of_oracle(config, f"oracles.{name}", name, oracle)
    for place, expected in enumerate(config.report.expected):
        path = f"report.expected.{place}"
        yield from _unknown(f"{path}.system", expected.system, config.systems, "system")
        yield from _unknown(f"{path}.dialogues", expected.dialogues, config.dialogues, "dialogue set")
        if expected.dialogues in config.dialogues:
            rounds = config.dialogues[expected.dialogues].rounds
            yield from (f"{path}.{fault}" for fault in expected.faults(config.report.hits, rounds))
    known = [name for name in config.evaluate if name in config.dialogues]
    rounds_of = {name: config.dialogues[name].rounds for name in known}
    for place, claim in enumerate(config.report.claims):
        found = claim.faults(config.systems, rounds_of)
        yield from (f"report.claims.{place}.{fault}" for fault in found)
        about = config.systems.get(claim.system)
        if claim.kind == "gate-falls" and about is not None and about.method in config.methods:
            yield from _without_gate(config, f"report.claims.{place}.system", claim.system, about)


def _without_gate(config: Config, path: str, name: str, system: System) -> Iterator[str]:
    """Yield a system whose weight of the text does not look at the query."""
    fusion = config.fusion_of(system)
    gated = fusion.kind == "adafuse-released" or getattr(fusion, "branches", "experts") != "experts"
    if not gated:
        yield f"{path}: {name!r} weighs all queries of a round alike: only a fusion adafuse has a gate"


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


def _faults_of_tuning(config: Config, path: str, tuned: TunedEncoder | None) -> Iterator[str]:
    if tuned is None:
        return
    recipe, images = tuned.train, getattr(tuned.train, "images", None)
    unknown = [
        *_unknown(f"{path}.encoder", tuned.encoder, config.encoders, "encoder"),
        *_unknown(f"{path}.train.dialogues", recipe.dialogues, config.dialogues, "dialogue set"),
        *_unknown(f"{path}.train.queries", recipe.queries, config.reformulators, "reformulator"),
    ]
    if images is not None:
        unknown += _unknown(f"{path}.train.images", images, config.generators, "generator")
    yield from unknown
    if recipe.dialogues in config.evaluate:
        yield f"{path}.train.dialogues: {recipe.dialogues!r} is evaluated too; train on others"
    if unknown:
        return
    base = config.encoders[tuned.encoder]
    if base.kind not in TUNABLE:
        kinds = ", ".join(TUNABLE)
        yield f"{path}.encoder: {tuned.encoder!r} is of kind {base.kind!r}; tuned are those of {kinds}"
    is_joined = config.reformulators[recipe.queries].kind == "join"
    if recipe.kind != "dmcl" and is_joined != (recipe.kind == "chatir"):
        wanted = "dialogues as they are, of kind join" if recipe.kind == "chatir" else "reformulated ones"
        yield f"{path}.train.queries: {recipe.kind} reads {wanted}; {recipe.queries!r} is another: mend it"
    used = [recipe.dialogues]
    yield from _unpublished(f"reformulators.{recipe.queries}.files", config, recipe.queries, used)
    if images is not None:
        yield from _faults_of_drawing(config, images, recipe.queries, used)


def _faults_of_oracle(config: Config, path: str, name: str, oracle: Oracle) -> Iterator[str]:
    if name in config.systems:
        yield f"{path}: a system has this name; choose another"
    unknown = [
        fault
        for place, system in enumerate(oracle.of)
        for fault in _unknown(f"{path}.of.{place}", system, config.systems, "system")
    ]
    yield from unknown
    if oracle.baseline is not None:
        yield from _unknown(f"{path}.baseline", oracle.baseline, config.systems, "system")
    measured_on = [dialogues for dialogues in config.evaluate if name in config.oracles_on(dialogues)]
    if not unknown and not measured_on:
        yield f"{path}.of: no dialogue set has all of these systems measured; choose systems that share one"
    for dialogues in measured_on:
        if oracle.baseline in config.systems and oracle.baseline not in config.systems_on(dialogues):
            yield f"{path}.baseline: {oracle.baseline!r} is not measured on {dialogues!r}: name it there too"


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
    tuned = config.tuned(system.encoder)
    if recipe and tuned and set(recipe.seeds) != set(tuned.train.seeds):
        yield (
            f"{path}.method: {system.method!r} is trained with seeds {list(recipe.seeds)} and encoder"
            f" {system.encoder!r} with {list(tuned.train.seeds)}: give both the same"
        )
    yield from _faults_of_images(config, path, system, used)


def _faults_of_images(config: Config, path: str, system: System, used: list[str]) -> Iterator[str]:
    fusion = config.fusion_of(system)
    if fusion.uses_images and system.images is None:
        yield f"{path}.images: missing, method {system.method!r} looks at generated images: name a generator"
    if system.images is not None and not fusion.uses_images:
        yield f"{path}.images: method {system.method!r} looks at no generated images: remove the key"
    if system.images is None:
        return
    wanted = config.generators[system.images].images
    seen = getattr(fusion, "images", None)
    if seen is not None and seen > wanted:
        yield (
            f"{path}.method: {system.method!r} looks at {seen} images a round, but"
            f" generators.{system.images} draws {wanted}: raise its `images`"
        )
    yield from _faults_of_drawing(config, system.images, system.queries, used)


def _faults_of_drawing(config: Config, images: str, queries: str, used: list[str]) -> Iterator[str]:
    yield from _unpublished(f"generators.{images}.folders", config, images, used)
    wanted, written = config.generators[images].images, config.reformulators[queries].prompts
    draws = not hasattr(config.generators[images], "folders")
    if draws and wanted > written:
        yield (
            f"generators.{images}.images: {wanted} images a round, but"
            f" reformulators.{queries} writes {written} prompts: raise its `prompts`"
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


def _unknown(path: str, name: str, known: dict[str, Any], what: str) -> Iterator[str]:
    if name not in known:
        there_are = ", ".join(sorted(known)) or "none"
        yield f"{path}: no {what} is called {name!r}; there are {there_are}"
