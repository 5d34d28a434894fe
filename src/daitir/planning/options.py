"""Options of each stage: one sorted JSON text a rule, which holds what changes the bytes and nothing else."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from daitir.config.together import ranked_together
from daitir.errors import DaitirError
from daitir.files import canonical_json, digest_text
from daitir.layout import parts_of_instance
from daitir.options import Options, Role, local_digests
from daitir.planning.view import View
from daitir.provenance import code_revision

EXPLORED = ("corpora", "dialogues", "generators", "systems", "oracles", "evaluate")


class StageOptions(View):
    """What the rules hand to the stages as ``--options``."""

    def import_options(self, w: Any) -> str:
        """Options of the import of a dialogue set."""
        dialogues = self.config.dialogues[w.dialogues]
        wanted = dialogues.model_dump(include={"format", "rounds", "limit"})
        return _stage_options("import_dialogues", **wanted)

    def list_options(self, w: Any) -> str:
        """Options of the listing of a corpus: which pictures lie in its folder, wherever below it."""
        return _stage_options("list_corpus", pictures=_pictures_in(self.config.corpora[w.corpus].images))

    def reformulate_options(self, w: Any) -> str:
        """Options of the reformulation of one shard."""
        dialogues = self.config.dialogues[w.dialogues]
        rounds = {"rounds": dialogues.rounds, "rounds_per_dialogue": dialogues.rounds_per_dialogue}
        reformulator = self.config.reformulators[w.reformulator]
        return _component_options("reformulate", "reformulator", reformulator, rounds=rounds)

    def generate_options(self, w: Any) -> str:
        """Options of the drawing of one shard."""
        return _component_options("generate", "generator", self.config.generators[w.generator])

    def encode_image_options(self, w: Any) -> str:
        """Options of the encoding of images: what only texts know is left out."""
        return self._encode_options(w, "bytes")

    def encode_text_options(self, w: Any) -> str:
        """Options of the encoding of query texts."""
        return self._encode_options(w, "bytes", "text")

    def tune_options(self, w: Any) -> str:
        """Options of the further training of an encoder, all seeds alike."""
        recipe = self._tuned(w).train.only("bytes")
        return _component_options("tune", "encoder", self.config.base_encoder(w.encoder), tune=recipe)

    def simulate_options(self, w: Any) -> str:
        """Options of the simulation of dialogues."""
        simulation = self.config.simulations[w.simulation]
        parts = {part: options for part, options in simulation if isinstance(options, Options)}
        digests = {
            f"{part} {name}": digest
            for part, options in parts.items()
            for name, digest in (local_digests(options) | _code_digests(options)).items()
        }
        wanted = simulation.only("bytes", "text")
        del wanted["corpus"]  # an input of the rule
        return _stage_options("simulate", digests=digests, simulation=wanted)

    def train_options(self, w: Any) -> str:
        """Options of the training of a fusion, all seeds alike."""
        return _stage_options("train", fusion=self.config.fusions[w.fusion].only("bytes"))

    def rank_options(self, w: Any) -> str:
        """Options of the ranking by one system."""
        return _stage_options("rank", fusion=self.config.fusion_of(self._system(w)).only("bytes"))

    def together_options(self, systems: tuple[str, ...]) -> Callable[[Any], str]:
        """Options of the ranking by several systems together: those of each."""
        each = {name: json.loads(self.rank_options(SimpleNamespace(system=name))) for name in systems}
        options = _stage_options("rank_together", systems=each)
        return lambda w: options

    def oracle_options(self, w: Any) -> str:
        """Options of an oracle: what it chooses from."""
        return _stage_options("rank_oracle", fusion={"of": self.config.oracles[w.oracle].of})

    def plot_options(self, w: Any) -> str:
        """Options of a figure of trainings."""
        return _stage_options("plot_training")

    def view_options(self, w: Any) -> str:
        """Options of the comparison of a tuned encoder with what it came from."""
        dialogues = self.config.dialogues[w.dialogues]
        judge = self.config.corpora[dialogues.corpus].judge
        digests = {} if judge is None else {"judge": code_revision(judge.partition(":")[0])}
        rounds = [round_ for round_ in self.config.report.rounds if round_ < dialogues.rounds]
        return _stage_options("compare_views", digests=digests, judge=judge, rounds=rounds or [0])

    def measure_options(self, w: Any) -> str:
        """Options of the measures: which ranks are compared with which."""
        return _stage_options("measure", **self._compared(), **self._measured())

    def report_options(self, w: Any) -> str:
        """Options of the report: the whole config, as run."""
        return self._page_options("report", together=ranked_together(self.config))

    def summary_options(self, w: Any) -> str:
        """Options of the summary: the whole config, as run."""
        return self._page_options("summarise")

    def _page_options(self, stage: str, **more: Any) -> str:
        order = [*self.config.systems, *self.config.oracles]
        return _stage_options(stage, config=self.config.only("bytes", "text", "where"), order=order, **more)

    def explore_options(self, w: Any) -> str:
        """Options of the explorer: what of the config it shows."""
        config = self.config.only("bytes", "text", "where")
        shown = {part: config[part] for part in EXPLORED if part in config}
        report = {"explorer": config["report"]["explorer"]}
        order = [*self.config.systems, *self.config.oracles]
        return _stage_options("explore", config=shown | {"report": report}, order=order)

    def _encode_options(self, w: Any, *roles: Role) -> str:
        name, seed = parts_of_instance(w.encoder)
        tuned = self.config.tuned(name)
        how_tuned = {} if tuned is None else {"tuned": {"seed": seed, "recipe": tuned.train.only("bytes")}}
        return _component_options("encode", "encoder", self.config.base_encoder(name), roles, **how_tuned)

    def _compared(self) -> dict[str, Any]:
        config = self.config
        systems: dict[str, Any] = {
            name: {"baseline": system.baseline, "dialogues": system.dialogues}
            for name, system in config.systems.items()
        }
        for name, oracle in config.oracles.items():
            known = [dialogues for dialogues in config.evaluate if name in config.oracles_on(dialogues)]
            systems[name] = {"baseline": oracle.baseline, "dialogues": known}
        return {"evaluate": list(self.config.evaluate), "systems": systems, "order": list(systems)}

    def _measured(self) -> dict[str, Any]:
        words = {"claims": {"__all__": {"source", "tried"}}}  # only the pages print them
        report = self.config.report.model_dump(mode="json", exclude=words)
        return {name: report[name] for name in ("hits", "rounds", "resamples", "seed", "expected", "claims")}


def _stage_options(stage: str, **options: Any) -> str:
    return canonical_json({"code": code_revision(f"daitir.stages.{stage}"), **options})


def _component_options(
    stage: str, kind: str, component: Options, roles: tuple[Any, ...] = ("bytes", "text"), **options: Any
) -> str:
    digests = local_digests(component)
    return _stage_options(stage, digests=digests, **{kind: component.only(*roles)}, **options)


def _code_digests(component: Options) -> dict[str, str]:
    """Digest of code of the user's own that a component names as ``package.module:Name``."""
    function = getattr(component, "function", None)
    return {} if function is None else {"function": code_revision(function.partition(":")[0])}


@cache
def _pictures_in(folder: Path) -> str:
    """Digest of names, sizes and times of the pictures below a folder, of which its own time says little."""
    from daitir.corpora import images_below

    try:
        names, _ = images_below(folder)
    except DaitirError:
        return "none"  # the job itself says what is wrong
    stats = ((name, (folder / name).stat()) for name in names)
    return digest_text(*(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats))
