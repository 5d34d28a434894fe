"""The config as every part of the plan sees it."""

from typing import Any

from daitir.config import Config
from daitir.config.parts import System, TunedEncoder
from daitir.layout import Layout, shard_names
from daitir.planning.work import Work


class View:
    """A validated config and where its files lie. ``w`` is always Snakemake's wildcards."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layout = Layout(str(config.results))
        self.work = Work(config)

    def shards(self, dialogues: str) -> list[str]:
        """Names of a dialogue set's shards."""
        return shard_names(self.config.dialogues[dialogues].shards)

    def _system(self, w: Any) -> System:
        return self.config.systems[w.system]

    def _tuned(self, w: Any) -> TunedEncoder:
        tuned = self.config.tuned(w.encoder)
        assert tuned is not None
        return tuned
