"""What the workflow asks of the config: options of each stage as one text, inputs, and the files to make.

Nothing here imports a model library: Snakemake plans in a second.
"""

import os
import re
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from daitir.config.together import ranked_together
from daitir.layout import FIGURES, TABLES
from daitir.machine import TELL
from daitir.planning.analyses import AnalysisPlan
from daitir.planning.options import StageOptions
from daitir.planning.resources import JobResources
from daitir.planning.views import ViewComparisons


def jobs_use_this_python(source: Path) -> None:
    """Let jobs find the Python that runs the workflow, its environment activated or not, and the package.

    A conda environment comes before both: it brings its own Python and takes the package from ``source``.
    Jobs are asked to tell their machine, too, each at the head of its log.
    """
    os.environ[TELL] = "1"
    before = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(source)}
    for variable, folder in before.items():
        os.environ[variable] = os.pathsep.join(filter(None, [folder, os.environ.get(variable)]))


def one_of(names: Iterable[str]) -> str:
    """Return a pattern that these names match and no other text does."""
    return "|".join(map(re.escape, names)) or "(?!)"


class Plan(StageOptions, JobResources, AnalysisPlan, ViewComparisons):
    """A validated config, seen by the rules: options and inputs of each stage, and what is to be made."""

    @property
    def ranks(self) -> list[str]:
        """Ranks of every system and oracle on the dialogue sets that it is measured on."""
        return [
            self.layout.ranks(system, name)
            for name in self.config.evaluate
            for system in [*self.config.systems_on(name), *self.config.oracles_on(name)]
        ]

    @cached_property
    def ranked_together(self) -> list[tuple[str, ...]]:
        """Systems of each job that ranks several."""
        return ranked_together(self.config)

    @property
    def ranked_alone(self) -> list[str]:
        """Systems that have a job of their own."""
        together = {name for names in self.ranked_together for name in names}
        return [name for name in self.config.systems if name not in together]

    @property
    def tables(self) -> list[str]:
        """Names of the tables that are measured."""
        return list(TABLES)

    @property
    def drawn(self) -> list[tuple[str, str]]:
        """Figures that are drawn of the measures, each with its dialogue set."""
        return [(figure, name) for name in self.config.evaluate for figure in FIGURES]

    @property
    def figures(self) -> list[str]:
        """Names of the figures that are drawn."""
        return [f"{figure}-{name}" for figure, name in self.drawn]

    @property
    def training_figures(self) -> list[str]:
        """Figures of all trainings: of the systems' fusions, and of the encoders that are trained further."""
        trained = [name for name, system in self.config.systems.items() if self.trained(system)]
        return [
            *(self.layout.figure(f"training-{system}") for system in trained),
            *(self.layout.figure(f"tuning-{encoder}") for encoder in self.work.tunings),
        ]

    @property
    def simulated(self) -> list[str]:
        """Dialogue files of all simulations."""
        return [self.layout.simulated(name) for name in self.config.simulations]

    @property
    def example_sources(self) -> list[str]:
        """Dialogues, corpus lists, queries and images that the report's examples are taken from."""
        found: dict[str, None] = {}
        for name in self.config.evaluate:
            found[self.layout.dialogues(name)] = None
            found[self.list_of(self.config.dialogues[name].corpus)] = None
            for system in self.config.systems_on(name).values():
                for shard in self.shards(name):
                    found[self.layout.queries(system.queries, name, shard)] = None
                    if system.images is not None:
                        found[self.layout.images(system.images, system.queries, name, shard)] = None
        return list(found)
