"""Analyses and runs: what they read, their options, and the files to make."""

from collections.abc import Callable
from typing import Any, get_args

from daitir.analyses.options import KINDS, READS, WITHOUT_FIGURE, Analysis, Kind, Source
from daitir.config.parts import System
from daitir.config.together import ranked_with
from daitir.files import canonical_json
from daitir.planning.inputs import StageInputs
from daitir.provenance import code_revision

HEADLINE = 10


class AnalysisPlan(StageInputs):
    """What the rules of the analyses and of the TREC runs ask of the config."""

    @property
    def runs(self) -> list[str]:
        """TREC runs of every system, round and seed, and the judgements of every evaluated dialogue set."""
        if not self.config.report.runs:
            return []
        return self.judgements + [
            self.layout.run(system, name, round_, seed)
            for name in self.config.evaluate
            for system, options in self.config.systems_on(name).items()
            for round_ in range(self.config.dialogues[name].rounds)
            for seed in self._seeds(options)
        ]

    @property
    def ranks_of_systems(self) -> list[str]:
        """Ranks of every system on the dialogue sets that it is measured on, without the oracles."""
        return [
            self.layout.ranks(system, name)
            for name in self.config.evaluate
            for system in self.config.systems_on(name)
        ]

    @property
    def judgements(self) -> list[str]:
        """Judgements to the TREC runs: who asks for them gets the runs, for the same job writes both."""
        return [self.layout.judgements(name) for name in self.config.evaluate if self.config.report.runs]

    @property
    def analyses(self) -> list[Analysis]:
        """Names of the analyses that are asked for."""
        return [name for name in get_args(Analysis) if name in self.config.report.analyses]

    @property
    def analysed(self) -> list[str]:
        """Rows of every analysis of every evaluated dialogue set."""
        return [self.layout.analysis(one, name) for one in self.analyses for name in self.config.evaluate]

    @property
    def analysis_kinds(self) -> list[Kind]:
        """Kinds of analyses that are asked for; a job does all of one kind on a dialogue set."""
        return [kind for kind in KINDS if self.analyses_of(kind)]

    def analyses_of(self, kind: Kind) -> list[Analysis]:
        """Names of the analyses of one kind that are asked for."""
        return [name for name in self.analyses if name in KINDS[kind]]

    def analysed_of(self, kind: Kind) -> list[str]:
        """Rows of every analysis of one kind, of the dialogue set of a job."""
        return [self.layout.analysis(name, "{dialogues}") for name in self.analyses_of(kind)]

    @property
    def analysis_tables(self) -> list[str]:
        """Tables of the analyses."""
        return [self.layout.table(name) for name in self.analyses]

    @property
    def drawn_analyses(self) -> list[tuple[Analysis, str]]:
        """Analyses that have a figure, each with every evaluated dialogue set."""
        drawn = [one for one in self.analyses if one not in WITHOUT_FIGURE]
        return [(one, name) for one in drawn for name in self.config.evaluate]

    @property
    def analysis_figures(self) -> list[str]:
        """Figures of the analyses, in both forms."""
        names = [f"{one}-{name}" for one, name in self.drawn_analyses]
        return [form(name) for name in names for form in (self.layout.figure, self.layout.picture)]

    def runs_options(self, w: Any) -> str:
        """Options of the TREC runs: the systems of each dialogue set, and how deep a list goes."""
        systems = {name: list(self.config.systems_on(name)) for name in self.config.evaluate}
        code = code_revision("daitir.stages.write_runs")
        return canonical_json({"code": code, "systems": systems, "depth": self.config.report.runs_depth})

    def analysis_options(self, kind: Kind) -> Callable[[Any], str]:
        """Return a params function with the options of the analyses of one kind on a dialogue set."""

        def options(w: Any) -> str:
            names, known = self.analyses_of(kind), self._analysed_systems(kind, w.dialogues)
            systems = {name: self._analysed(one) for name, one in known.items()}
            for analysed in systems.values():
                if analysed["baseline"] not in known:
                    analysed["baseline"] = None
            report = self.config.report
            options = {
                "code": code_revision("daitir.stages.analyse"),
                "analysis_code": {name: code_revision(f"daitir.analyses.{name}") for name in names},
                "analyses": names,
                "dialogues": w.dialogues,
                "systems": systems,
                "order": list(systems),
                "hits": list(report.hits),
                "resamples": report.resamples,
                "seed": report.seed,
            }
            return canonical_json(options)

        return options

    def drawing_options(self, w: Any) -> str:
        """Options of the tables and figures of all analyses."""
        report = self.config.report
        options = {
            "code": code_revision("daitir.stages.draw_analyses"),
            "analysis_code": {name: code_revision(f"daitir.analyses.{name}") for name in self.analyses},
            "analyses": self.analyses,
            "evaluate": list(self.config.evaluate),
            "order": list(self.config.systems),
            "k": HEADLINE if HEADLINE in report.hits else max(report.hits),
            "rounds": list(report.rounds),
        }
        return canonical_json(options)

    def analysis_inputs(self, kind: Kind) -> Callable[[Any], list[str]]:
        """Return an input function with the files that a job of one kind reads, each once."""

        def inputs(wildcards: Any) -> list[str]:
            found: dict[str, None] = {}
            for sources in self._sources(kind, wildcards.dialogues).values():
                for role, paths in sources.items():
                    if role != "seconds":  # no rule makes them: they lie beside what the jobs made
                        found |= dict.fromkeys([paths] if isinstance(paths, str) else paths)
            return list(found)

        return inputs

    def analysis_sources(self, kind: Kind) -> Callable[[Any], str]:
        """Return a params function with the files that a job reads, by system and role, as one text."""
        return lambda wildcards: canonical_json(self._sources(kind, wildcards.dialogues))

    def _sources(self, kind: Kind, dialogues: str) -> dict[str, dict[str, Any]]:
        reads: frozenset[Source] = frozenset().union(*(READS[name] for name in self.analyses_of(kind)))
        return {
            name: {
                role: paths for role, paths in self._files(name, system, dialogues).items() if role in reads
            }
            for name, system in self._analysed_systems(kind, dialogues).items()
        }

    def _analysed_systems(self, kind: Kind, dialogues: str) -> dict[str, System]:
        """Return the systems of a job; those of a tuned encoder are not ranked anew, seed by seed.

        Where the baseline is such a system, there is no degradation rate against it.
        """
        return {
            name: system
            for name, system in self.config.systems_on(dialogues).items()
            if not (kind == "features" and self.config.tuned(system.encoder))
        }

    def _files(self, name: str, system: System, dialogues: str) -> dict[str, Any]:
        images = system.images if self.config.fusion_of(system).uses_images else None
        shards = self.shards(dialogues)
        first, *_ = self.config.instances(system.encoder)  # what is cut is the same with every seed
        return {
            **self._features(dialogues, first, system.queries, images),
            "weights": self.weights(system),
            "texts": [self.layout.queries(system.queries, dialogues, shard) for shard in shards],
            "ranks": self.layout.ranks(name, dialogues),
            "seconds": self._seconds(name, system, dialogues, images),
        }

    def _seconds(self, name: str, system: System, dialogues: str, images: str | None) -> dict[str, list[str]]:
        spent, queries = self.layout.benchmark, system.queries
        encoder, *_ = self.config.instances(system.encoder)  # seeds are repetitions, not a cost of a query
        shards = [f"shard-{shard}" for shard in self.shards(dialogues)]
        found = {
            "reformulate": [spent("queries", queries, dialogues, shard) for shard in shards],
            "encode": [spent("features", encoder, "queries", queries, dialogues)],
            "rank": [spent("ranks", ranked_with(self.config, name)[0], dialogues)],
        }
        if images is not None:
            made_of = (images, queries, dialogues)
            found["generate"] = [spent("images", *made_of, shard) for shard in shards]
            found["encode"] += [spent("features", encoder, "images", *made_of, shard) for shard in shards]
        return found

    def _analysed(self, system: System) -> dict[str, Any]:
        named = system.model_dump(include={"encoder", "queries", "images", "baseline"})
        return {**named, "fusion": self.config.fusion_of(system).only("bytes")}

    def _seeds(self, system: System) -> list[int | None]:
        trained = self.config.recipe(system.method)
        tuned = self.config.tuned(system.encoder)
        recipe = trained if tuned is None else tuned.train
        return list(recipe.seeds) if recipe is not None and len(recipe.seeds) > 1 else [None]
