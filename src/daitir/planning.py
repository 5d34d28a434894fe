"""What the workflow asks of the config: options of each stage as one text, inputs, and the files to make.

Nothing here imports a model library: Snakemake plans in a second.
"""

import os
import sys
from pathlib import Path
from typing import Any

from daitir.config import Config, System
from daitir.files import canonical_json
from daitir.layout import TABLES, Layout, figure_names, shard_names
from daitir.options import Options, local_digests
from daitir.provenance import code_revision


def jobs_use_this_python(source: Path) -> None:
    """Let jobs find the Python that runs the workflow, its environment activated or not, and the package.

    A conda environment comes before both: it brings its own Python and takes the package from ``source``.
    """
    before = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(source)}
    for variable, folder in before.items():
        os.environ[variable] = os.pathsep.join(filter(None, [folder, os.environ.get(variable)]))


class Plan:
    """A validated config, seen by the rules. ``w`` is always Snakemake's wildcards."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layout = Layout(str(config.results))

    # Options: one sorted JSON text a rule; it holds what changes the bytes and nothing else.

    def import_options(self, w: Any) -> str:
        """Options of the import of a dialogue set."""
        dialogues = self.config.dialogues[w.dialogues]
        wanted = dialogues.model_dump(include={"format", "rounds", "limit"})
        return _stage_options("import_dialogues", **wanted)

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
        return _component_options("encode", "encoder", self.config.encoders[w.encoder], roles=("bytes",))

    def encode_text_options(self, w: Any) -> str:
        """Options of the encoding of query texts."""
        return _component_options("encode", "encoder", self.config.encoders[w.encoder])

    def train_options(self, w: Any) -> str:
        """Options of the training of a fusion, all seeds alike."""
        return _stage_options("train", fusion=self.config.fusions[w.fusion].only("bytes"))

    def rank_options(self, w: Any) -> str:
        """Options of the ranking by one system."""
        return _stage_options("rank", fusion=self.config.fusion_of(self._system(w)).only("bytes"))

    def measure_options(self, w: Any) -> str:
        """Options of the measures: which ranks are compared with which."""
        return _stage_options("measure", **self._compared(), **self._measured())

    def report_options(self, w: Any) -> str:
        """Options of the report: the whole config, as run."""
        order = list(self.config.systems)
        return _stage_options("report", config=self.config.only("bytes", "text"), order=order)

    # How fast: batch sizes and devices. Asking for ``resources`` keeps Snakemake from rerunning on a change.

    def how(self, kind: str, wildcard: str) -> Any:
        """Return a params function with the ``how`` settings of the component that a wildcard names."""

        def settings(wildcards: Any, resources: Any) -> str:
            component = getattr(self.config, f"{kind}s")[getattr(wildcards, wildcard)]
            return canonical_json({kind: component.only("how")})

        return settings

    def gpu(self, kind: str, wildcard: str) -> Any:
        """Return a resources function: one GPU for a component, none if it runs on the CPU."""

        def needed(wildcards: Any) -> int:
            component = getattr(self.config, f"{kind}s")[getattr(wildcards, wildcard)]
            return int(getattr(component, "device", "cpu") != "cpu")

        return needed

    # Inputs.

    def dialogue_file(self, w: Any) -> str:
        """File that a dialogue set is imported from."""
        return str(self.config.dialogues[w.dialogues].file)

    def corpus_list_of(self, w: Any) -> str:
        """List of the corpus that a dialogue set searches."""
        return str(self.config.corpora[self.config.dialogues[w.dialogues].corpus].list)

    def corpus_list(self, w: Any) -> str:
        """List of a corpus."""
        return str(self.config.corpora[w.corpus].list)

    def corpus_images(self, w: Any) -> str:
        """Folder of a corpus's images."""
        return str(self.config.corpora[w.corpus].images)

    def query_shards(self, w: Any) -> list[str]:
        """Queries of all shards of a dialogue set."""
        return [self.layout.queries(w.reformulator, w.dialogues, shard) for shard in self.shards(w.dialogues)]

    def train_inputs(self, w: Any) -> dict[str, Any]:
        """Everything a fusion is trained on: features of training dialogues, their images, their corpus."""
        recipe = self.config.recipe(w.fusion)
        assert recipe is not None
        return self._features(recipe.dialogues, w.encoder, w.reformulator, w.generator)

    def rank_inputs(self, w: Any) -> dict[str, Any]:
        """Everything a system ranks from."""
        system = self._system(w)
        images = system.images if self.config.fusion_of(system).uses_images else None
        inputs = self._features(w.dialogues, system.encoder, system.queries, images)
        return inputs | {"weights": self.weights(system)}

    def weights(self, system: System) -> list[str]:
        """Weights of a system's trained fusion, one file a seed; none if it is not trained."""
        recipe = self.config.recipe(system.method)
        if recipe is None:
            return []
        assert system.images is not None
        made_with = (system.method, system.encoder, system.images, system.queries)
        return [f"{self.layout.fusion(*made_with, seed)}/model.safetensors" for seed in recipe.seeds]

    def _features(self, dialogues: str, encoder: str, queries: str, images: str | None) -> dict[str, Any]:
        layout, corpus = self.layout, self.config.dialogues[dialogues].corpus
        pictures = [
            layout.image_features(encoder, images, queries, dialogues, shard)
            for shard in self.shards(dialogues)
            if images is not None
        ]
        return {
            "dialogues": layout.dialogues(dialogues),
            "queries": layout.query_features(encoder, queries, dialogues),
            "pictures": pictures,
            "corpus": layout.corpus_features(encoder, corpus),
        }

    # Targets.

    @property
    def ranks(self) -> list[str]:
        """Ranks of every system on every evaluated dialogue set."""
        return [
            self.layout.ranks(system, name) for system in self.config.systems for name in self.config.evaluate
        ]

    @property
    def tables(self) -> list[str]:
        """Names of the tables that are measured."""
        return list(TABLES)

    @property
    def figures(self) -> list[str]:
        """Names of the figures that are drawn."""
        return figure_names(self.config.evaluate)

    @property
    def example_sources(self) -> list[str]:
        """Dialogues, queries and images that the report's examples are taken from."""
        found: dict[str, None] = {}
        for name in self.config.evaluate:
            found[self.layout.dialogues(name)] = None
            for system in self.config.systems.values():
                for shard in self.shards(name):
                    found[self.layout.queries(system.queries, name, shard)] = None
                    if system.images is not None:
                        found[self.layout.images(system.images, system.queries, name, shard)] = None
        return list(found)

    def shards(self, dialogues: str) -> list[str]:
        """Names of a dialogue set's shards."""
        return shard_names(self.config.dialogues[dialogues].shards)

    def _system(self, w: Any) -> System:
        return self.config.systems[w.system]

    def _compared(self) -> dict[str, Any]:
        systems = {name: {"baseline": system.baseline} for name, system in self.config.systems.items()}
        return {"evaluate": list(self.config.evaluate), "systems": systems, "order": list(systems)}

    def _measured(self) -> dict[str, Any]:
        report = self.config.report.model_dump(mode="json")
        return {name: report[name] for name in ("hits", "rounds", "resamples", "seed")}


def _stage_options(stage: str, **options: Any) -> str:
    return canonical_json({"code": code_revision(f"daitir.stages.{stage}"), **options})


def _component_options(
    stage: str, kind: str, component: Options, roles: tuple[Any, ...] = ("bytes", "text"), **options: Any
) -> str:
    digests = local_digests(component)
    return _stage_options(stage, digests=digests, **{kind: component.only(*roles)}, **options)
