"""Every job of a config, in the order of the pipeline: what it writes and reads, and with which options."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from daitir.config.together import ranked_with
from daitir.planning import Plan
from daitir.planning.jobs import Jobs

Names = tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    ``parts`` name its log, benchmark and scratch: ``("images", "sd3", "llm", "val", "shard-0-of-2")``. Where
    one job of the workflow does the work of several, ``beside`` are all of their parts, the first of which
    name log and benchmark.
    """

    rule: str
    parts: Names
    outputs: Names
    wildcards: SimpleNamespace
    inputs: dict[str, Any]
    make_options: Callable[[Any], str] | None = None
    beside: tuple[Names, ...] = ()

    @property
    def told(self) -> Names:
        """Parts of the log and the benchmark."""
        return self.beside[0] if self.beside else self.parts

    @property
    def name(self) -> str:
        """What tells the job from all others."""
        return "/".join(self.parts)

    @property
    def options(self) -> dict[str, Any] | None:
        """The options that the config gives now; None for a stage that writes none down."""
        return None if self.make_options is None else json.loads(self.make_options(self.wildcards))


class Inventory:
    """Lists the jobs of a plan; those that other runs left, with other components, are not among them."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.layout, self.jobs_of = plan, plan.layout, Jobs(plan.config)

    def jobs(self) -> Iterator[Job]:
        """Yield every job once, each after those whose files it reads."""
        yield from self._data()
        yield from self._drawn()
        yield from self._encoded()
        yield from self._trained()
        yield from self._ranked()
        yield from self._told()

    @property
    def dialogues(self) -> list[str]:
        """Dialogue sets that are imported, each after the one that it shares round 0 with."""
        config = self.plan.config
        found: dict[str, None] = {}
        used = {texts.dialogues for texts in self.jobs_of.texts} | set(config.evaluate)
        for name in config.dialogues:
            if name in used:
                shared = config.dialogues[name].round_0_from
                found |= dict.fromkeys([*([] if shared is None else [shared]), name])
        return list(found)

    def _data(self) -> Iterator[Job]:
        plan, config, layout = self.plan, self.plan.config, self.layout
        outputs: Names
        corpora = dict.fromkeys(config.dialogues[name].corpus for name in self.dialogues)
        for name in (name for name in corpora if config.corpora[name].list is None):
            w = SimpleNamespace(corpus=name)
            yield Job("list_corpus", ("corpora", name), (layout.corpus_list(name),), w, {})
        read = {str(config.dialogues[name].file) for name in self.dialogues}
        for name in config.simulations:
            file = layout.simulated(name)
            if file in read:
                w = SimpleNamespace(simulation=name)
                outputs = (file, layout.simulated_provenance(name))
                yield self._job("simulate", ("simulated", name), outputs, w, plan.simulate_options)
        for name in self.dialogues:
            w = SimpleNamespace(dialogues=name)
            inputs = {"round_0": plan.known_dialogues(w)}
            outputs = (layout.dialogues(name),)
            options = plan.import_options
            yield self._job("import_dialogues", ("dialogues", name), outputs, w, options, inputs)

    def _drawn(self) -> Iterator[Job]:
        plan, layout, known = self.plan, self.layout, self.jobs_of
        parts: Names
        outputs: Names
        for reformulator, name in known.in_order(known.texts):
            w = SimpleNamespace(reformulator=reformulator, dialogues=name)
            inputs = {"dialogues": layout.dialogues(name), "released": plan.released_queries(w)}
            for shard in plan.shards(name):
                parts = ("queries", reformulator, name, f"shard-{shard}")
                outputs = (layout.queries(reformulator, name, shard),)
                options = plan.reformulate_options
                yield self._job("reformulate_dialogues", parts, outputs, _at(w, shard), options, inputs)
        for drawn in known.in_order(known.pictures):
            generator, reformulator, name = drawn
            w = SimpleNamespace(generator=generator, reformulator=reformulator, dialogues=name)
            for shard in plan.shards(name):
                parts, options = ("images", *drawn, f"shard-{shard}"), plan.generate_options
                inputs = {"queries": [layout.queries(reformulator, name, shard)]}
                outputs = (layout.images(*drawn, shard),)
                yield self._job("generate_images", parts, outputs, _at(w, shard), options, inputs)

    def _encoded(self) -> Iterator[Job]:
        plan, layout, known = self.plan, self.layout, self.jobs_of
        parts: Names
        outputs: Names
        for encoder, recipe in known.tunings.items():
            w = SimpleNamespace(encoder=encoder)
            for seed in recipe.seeds:
                folder, at = layout.tuned_encoder(encoder, seed), _at(w, seed=str(seed))
                outputs = (f"{folder}/model", f"{folder}/history.parquet")
                parts, options = ("encoders", encoder, f"seed-{seed}"), plan.tune_options
                yield self._job("tune_encoder", parts, outputs, at, options, plan.tune_inputs(w))
        for encoder, corpus in known.in_order(known.encoded_corpora):
            w = SimpleNamespace(encoder=encoder, corpus=corpus)
            inputs = {"list": plan.corpus_list(w), "model": plan.tuned_model(w)}
            parts, outputs = (
                ("features", encoder, "corpora", corpus),
                (layout.corpus_features(encoder, corpus),),
            )
            yield self._job("encode_corpus", parts, outputs, w, plan.encode_image_options, inputs)
        for encoder, texts in known.in_order(known.encoded_texts):
            w = SimpleNamespace(encoder=encoder, reformulator=texts.reformulator, dialogues=texts.dialogues)
            inputs = {"queries": plan.query_shards(w), "model": plan.tuned_model(w)}
            parts, outputs = (
                ("features", encoder, "queries", *texts),
                (layout.query_features(encoder, *texts),),
            )
            yield self._job("encode_queries", parts, outputs, w, plan.encode_text_options, inputs)
        for encoder, drawn in known.in_order(known.encoded_pictures):
            w = SimpleNamespace(encoder=encoder, **drawn._asdict())
            for shard in plan.shards(drawn.dialogues):
                inputs = {"pictures": layout.images(*drawn, shard), "model": plan.tuned_model(w)}
                parts = ("features", encoder, "images", *drawn, f"shard-{shard}")
                outputs, at = (layout.image_features(encoder, *drawn, shard),), _at(w, shard)
                yield self._job("encode_images", parts, outputs, at, plan.encode_image_options, inputs)

    def _trained(self) -> Iterator[Job]:
        plan, below = self.plan, f"{self.layout.results}/"
        parts: Names
        outputs: Names
        systems = plan.config.systems.values()
        for folder in dict.fromkeys(folder for system in systems for folder in plan.trained(system)):
            parts = tuple(folder.removeprefix(below).split("/"))
            _, fusion, encoder, generator, reformulator, seed = parts
            made_of = {"encoder": encoder, "generator": generator, "reformulator": reformulator}
            w = SimpleNamespace(fusion=fusion, seed=seed.removeprefix("seed-"), **made_of)
            outputs = (f"{folder}/model.safetensors", f"{folder}/history.parquet")
            yield self._job("train_fusion", parts, outputs, w, plan.train_options, plan.train_inputs(w))

    def _ranked(self) -> Iterator[Job]:
        plan, config, layout = self.plan, self.plan.config, self.layout
        parts: Names
        outputs: Names
        for name in config.evaluate:
            for system in config.systems_on(name):
                w = SimpleNamespace(system=system, dialogues=name)
                parts, outputs = ("ranks", system, name), (layout.ranks(system, name),)
                job = self._job("rank_candidates", parts, outputs, w, plan.rank_options, plan.rank_inputs(w))
                together = ranked_with(config, system)
                beside = tuple(("ranks", one, name) for one in together)
                yield job if len(together) == 1 else replace(job, rule="rank_together", beside=beside)
            for oracle in config.oracles_on(name):
                w = SimpleNamespace(oracle=oracle, dialogues=name)
                parts, outputs = ("ranks", oracle, name), (layout.ranks(oracle, name),)
                inputs = {"ranks": plan.oracle_inputs(w)}
                yield self._job("rank_oracle", parts, outputs, w, plan.oracle_options, inputs)

    def _told(self) -> Iterator[Job]:
        """Yield what is made of the ranks: tables, figures, pages."""
        plan, layout, w = self.plan, self.layout, SimpleNamespace()
        outputs: Names
        tables = [layout.table(name) for name in plan.tables]
        figures = [form(name) for name in plan.figures for form in (layout.figure, layout.picture)]
        yield Job("measure_ranks", ("measure",), (*tables, *figures), w, {})
        for path in plan.training_figures:
            name = path.rpartition("/")[2].removesuffix(".svg")
            rule = "plot_training" if name.startswith("training-") else "plot_tuning"
            yield Job(rule, ("figures", name), (path,), w, {})
        for key in plan.compared_views:
            name = f"views-{'.'.join(key)}"
            outputs = (layout.table(name), layout.figure(name))
            yield Job("compare_views", ("figures", name), outputs, w, {})
        for kind in plan.analysis_kinds:
            for name in plan.config.evaluate:
                outputs = tuple(layout.analysis(one, name) for one in plan.analyses_of(kind))
                yield Job(f"analyse_{kind}", ("analyses", kind, name), outputs, w, {})
        drawn = (*plan.analysis_tables, *plan.analysis_figures)
        if drawn:
            yield Job("draw_analyses", ("draw_analyses",), drawn, w, {})
        if plan.runs:
            yield Job("write_runs", ("runs",), tuple(plan.runs), w, {})
        yield Job("write_summary", ("summary",), (layout.summary,), w, {})
        yield Job("write_report", ("report",), (layout.report,), w, {})
        yield Job("write_explorer", ("explorer",), (layout.explorer,), w, {})

    def _job(
        self,
        rule: str,
        parts: Names,
        outputs: Names,
        w: SimpleNamespace,
        options: Callable[[Any], str],
        inputs: dict[str, Any] | None = None,
    ) -> Job:
        return Job(rule, parts, outputs, w, inputs or {}, options)


def _at(w: SimpleNamespace, shard: str | None = None, seed: str | None = None) -> SimpleNamespace:
    """Return wildcards with a shard or a seed."""
    more = {name: value for name, value in (("shard", shard), ("seed", seed)) if value is not None}
    return SimpleNamespace(**vars(w), **more)
