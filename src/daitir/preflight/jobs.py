"""What a config makes: which stage works on which components and data, as the workflow plans it."""

from collections.abc import Iterator
from typing import NamedTuple

from daitir.config import Config
from daitir.config.parts import System


class Texts(NamedTuple):
    """Queries of a dialogue set by a reformulator."""

    reformulator: str
    dialogues: str


class Pictures(NamedTuple):
    """Pictures of such queries by a generator."""

    generator: str
    reformulator: str
    dialogues: str


class Jobs:
    """Everything that the systems of a config need, each once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.texts: dict[Texts, None] = {}
        self.pictures: dict[Pictures, None] = {}
        self.encoded_texts: dict[tuple[str, Texts], None] = {}
        self.encoded_pictures: dict[tuple[str, Pictures], None] = {}
        self.encoded_corpora: dict[tuple[str, str], None] = {}
        self.trainings: dict[tuple[str, str, Pictures], int] = {}
        for system, dialogues in self._used():
            shared = config.dialogues[dialogues].round_0_from
            if shared is not None:
                self._add_known(system, shared)
            self._add(system, dialogues)
            recipe = config.recipe(system.method)
            if recipe is not None and system.images is not None:
                pictures = Pictures(system.images, system.queries, recipe.dialogues)
                self.trainings[system.method, system.encoder, pictures] = len(recipe.seeds)

    def _used(self) -> Iterator[tuple[System, str]]:
        for system in self.config.systems.values():
            recipe = self.config.recipe(system.method)
            yield from ((system, name) for name in self.config.evaluate if system.is_measured_on(name))
            if recipe is not None:
                yield system, recipe.dialogues

    def _add(self, system: System, dialogues: str) -> None:
        texts = Texts(system.queries, dialogues)
        self.texts[texts] = None
        self.encoded_texts[system.encoder, texts] = None
        self.encoded_corpora[system.encoder, self.config.dialogues[dialogues].corpus] = None
        if system.images is not None and self.config.fusion_of(system).uses_images:
            pictures = Pictures(system.images, *texts)
            self.pictures[pictures] = None
            self.encoded_pictures[system.encoder, pictures] = None

    def _add_known(self, system: System, dialogues: str) -> None:
        """Add what round 0 is taken over from: published texts and pictures are read, not taken over."""
        texts = Texts(system.queries, dialogues)
        if is_written(self.config, system.queries):
            self.texts[texts] = None
            self.encoded_texts[system.encoder, texts] = None
        if system.images is not None and is_drawn(self.config, system.images):
            self.texts[texts] = None
            self.pictures[Pictures(system.images, *texts)] = None
            self.encoded_pictures[system.encoder, Pictures(system.images, *texts)] = None


def is_written(config: Config, reformulator: str) -> bool:
    """Whether a reformulator makes its texts, rather than reading published ones."""
    return not hasattr(config.reformulators[reformulator], "files")


def is_drawn(config: Config, generator: str) -> bool:
    """Whether a generator draws its pictures, rather than reading published ones."""
    return not hasattr(config.generators[generator], "folders")
