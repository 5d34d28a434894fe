"""What a config makes, in its own order: the plan of the workflow, and what is counted beside it."""

from collections.abc import Collection, Iterator
from typing import Any, TypeVar

from daitir.config import Config
from daitir.layout import parts_of_instance
from daitir.planning.work import Pictures, Work

Job = TypeVar("Job", bound=tuple[Any, ...])


class Jobs(Work):
    """Everything that the systems of a config need, each once."""

    @property
    def encoded_corpora(self) -> set[tuple[str, str]]:
        """Encoder and corpus of every system."""
        return {
            (encoder, self.config.dialogues[texts.dialogues].corpus) for encoder, texts in self.encoded_texts
        }

    @property
    def trainings(self) -> dict[tuple[str, str, Pictures], int]:
        """Fusion, encoder and pictures of every training, and how many seeds it has."""
        return {
            (system.method, system.encoder, Pictures(system.images, system.queries, recipe.dialogues)): len(
                recipe.seeds
            )
            for system in self.config.systems.values()
            if (recipe := self.config.recipe(system.method)) is not None and system.images is not None
        }

    def in_order(self, jobs: Collection[Job]) -> list[Job]:
        """Return jobs in the order in which the config writes their components and data."""
        config = self.config
        parts = (config.encoders, config.generators, config.reformulators, config.dialogues, config.corpora)
        names = (name for part in parts for name in part)
        places = {name: place for place, name in enumerate(names)}
        return sorted(jobs, key=lambda job: [_place(places, name) for name in _names(job)])


def _place(places: dict[str, int], name: str) -> tuple[int, int]:
    """Return the place of a name; the seeds of a tuned encoder follow one another."""
    encoder, seed = parts_of_instance(name)
    return places[encoder], seed or 0


def _names(job: tuple[Any, ...]) -> Iterator[str]:
    for part in job:
        yield from [part] if isinstance(part, str) else _names(part)


def is_drawn(config: Config, generator: str) -> bool:
    """Whether a generator draws its pictures, rather than reading published ones."""
    return not hasattr(config.generators[generator], "folders")
