"""Makes the files of a config in one process, by the command lines that the workflow's rules write."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from daitir.config import load_config
from daitir.features import read_features
from daitir.planning import Plan


class Chain:
    """Makes the files of a config, each once and when it is asked for, as the workflow's rules do."""

    def __init__(self, config):
        self.plan = Plan(load_config(config))
        self.layout, self.config = self.plan.layout, config

    def call(self, stage, output, *what, into="output", **arguments):
        """Run a stage's command line, unless its output is there; return the output."""
        given = arguments if into is None else arguments | {into: output}
        line = [word for name, values in given.items() for word in words(name, values)]
        if not Path(output).exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", [stage, *what, *line])
                importlib.import_module(f"daitir.stages.{stage}").main()
        return Path(output)

    def dialogues(self, w):
        plan, paths = self.plan, {"corpus": self.corpus(), "round_0": self.plan.known_dialogues(w)}
        options, output = plan.import_options(w), self.layout.dialogues("few")
        return self.call("import_dialogues", output, options=options, file=plan.dialogue_file(w), **paths)

    def corpus(self):
        images = self.config["corpora"]["few"]["images"]
        return self.call("list_corpus", self.layout.corpus_list("few"), images=images)

    def queries(self, w):
        plan, output = self.plan, self.layout.queries(w.reformulator, "few", w.shard)
        paths = {"dialogues": self.dialogues(w), "shard": w.shard, "known": plan.known_queries(w)}
        paths |= {"released": plan.released_queries(w), "scratch": f"{output}-scratch"}
        how = plan.how("reformulator", "reformulator")(w, None)
        return self.call("reformulate", output, options=plan.reformulate_options(w), how=how, **paths)

    def pictures(self, w):
        plan, output = self.plan, self.layout.images(w.generator, w.reformulator, "few", w.shard)
        paths = {"queries": self.queries(w), "known": plan.known_images(w), "scratch": f"{output}-scratch"}
        how = plan.how("generator", "generator")(w, None)
        paths |= plan.released_images(w)
        return self.call("generate", output, options=plan.generate_options(w), how=how, **paths)

    def features(self, w, what):
        """Features of the ``queries``, of the ``pictures`` or of the ``corpus``, as they are read."""
        plan, layout = self.plan, self.layout
        output = {
            "queries": layout.query_features(w.encoder, w.reformulator, "few"),
            "pictures": layout.image_features(w.encoder, w.generator, w.reformulator, "few", w.shard),
            "corpus": layout.corpus_features(w.encoder, "few"),
        }[what]
        paths = {"queries": self.queries(w)} if what == "queries" else {}
        paths |= {"shard": self.pictures(w)} if what == "pictures" else {}
        paths |= {"list": self.corpus(), "images": plan.corpus_images(w)} if what == "corpus" else {}
        options = plan.encode_text_options(w) if what == "queries" else plan.encode_image_options(w)
        how = plan.how("encoder", "encoder")(w, None)
        return read_features(self.call("encode", output, what, options=options, how=how, **paths))

    def ranks(self, name):
        """Ranks of a system, from the dialogue file on."""
        w = self.wildcards(name)
        for what in ("queries", "corpus", "pictures") if w.generator else ("queries", "corpus"):
            self.features(w, what)
        inputs = self.plan.rank_inputs(w)
        return self.call("rank", self.layout.ranks(name, "few"), options=self.plan.rank_options(w), **inputs)

    def wildcards(self, name):
        """What the rules know of a system."""
        system = self.config["systems"][name]
        parts = {"encoder": "encoder", "reformulator": "queries", "generator": "images"}
        named = {wildcard: system.get(key) for wildcard, key in parts.items()}
        return SimpleNamespace(system=name, dialogues="few", corpus="few", shard="0-of-1", **named)


def words(name, values):
    """An argument of a command line, with one value, several or none."""
    several = values if isinstance(values, list | tuple) else [values]
    return [f"--{name.replace('_', '-')}", *map(str, several)]
