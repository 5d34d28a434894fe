"""What the systems of a config need made: which components work on which dialogue sets, each once."""

from functools import cached_property
from typing import Any, NamedTuple

from daitir.config import Config
from daitir.config.parts import System
from daitir.tuning import DmclOptions, TuneOptions


class Texts(NamedTuple):
    """Queries of a dialogue set by a reformulator."""

    reformulator: str
    dialogues: str


class Pictures(NamedTuple):
    """Pictures of such queries by a generator."""

    generator: str
    reformulator: str
    dialogues: str


class Work:
    """Everything that the systems of a config need, and what of it round 0 may be taken over from.

    A dialogue set shares its round 0 with another one (``round_0_from``) only as far as that is made
    anyway: a whole benchmark is not drawn for the sake of its captions. Published texts and pictures
    are read, so they share nothing.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @cached_property
    def encoded_pictures(self) -> set[tuple[str, Pictures]]:
        """Encoder (each seed of one that is tuned) and pictures of every system that looks at pictures."""
        return {
            (encoder, Pictures(system.images, system.queries, dialogues))
            for system, dialogues in self._used
            if system.images is not None and self.config.fusion_of(system).uses_images
            for encoder in self._encoders(system, dialogues)
        }

    @cached_property
    def encoded_texts(self) -> set[tuple[str, Texts]]:
        """Encoder (each seed of one that is tuned) and texts of every system."""
        return {
            (encoder, Texts(system.queries, dialogues))
            for system, dialogues in self._used
            for encoder in self._encoders(system, dialogues)
        }

    def _encoders(self, system: System, dialogues: str) -> list[str]:
        """Return the encoders that a system needs: where its views are compared, also what was tuned."""
        tuned = self.config.tuned(system.encoder)
        compared = tuned is not None and system.images is not None and dialogues in self.config.evaluate
        base = [tuned.encoder] if tuned is not None and compared else []
        return [*base, *self.config.instances(system.encoder)]

    @cached_property
    def tunings(self) -> dict[str, TuneOptions]:
        """Encoders of the systems that are trained further, and how."""
        used = dict.fromkeys(system.encoder for system, _ in self._used)
        return {name: tuned.train for name in used if (tuned := self.config.tuned(name)) is not None}

    @cached_property
    def pictures(self) -> set[Pictures]:
        """Pictures of every system, and those that an encoder is trained on."""
        return {pictures for _, pictures in self.encoded_pictures} | {
            Pictures(recipe.images, recipe.queries, recipe.dialogues)
            for recipe in self.tunings.values()
            if isinstance(recipe, DmclOptions)
        }

    @cached_property
    def texts(self) -> set[Texts]:
        """Texts of every system, and those that an encoder is trained on."""
        return {texts for _, texts in self.encoded_texts} | {
            Texts(recipe.queries, recipe.dialogues) for recipe in self.tunings.values()
        }

    @cached_property
    def _used(self) -> list[tuple[Any, str]]:
        used = [
            (system, name)
            for system in self.config.systems.values()
            for name in self.config.evaluate
            if system.is_measured_on(name)
        ]
        recipes = ((system, self.config.recipe(system.method)) for system in self.config.systems.values())
        return used + [(system, recipe.dialogues) for system, recipe in recipes if recipe is not None]

    def source_of_texts(self, texts: Texts) -> str | None:
        """Return the dialogue set whose texts of round 0 are taken over, if there is one."""
        shared = self.config.dialogues[texts.dialogues].round_0_from
        published = hasattr(self.config.reformulators[texts.reformulator], "files")
        if shared is None or published or Texts(texts.reformulator, shared) not in self.texts:
            return None
        return shared

    def source_of_pictures(self, pictures: Pictures) -> str | None:
        """Return the dialogue set whose pictures of round 0 are taken over, if there is one."""
        generator, reformulator, dialogues = pictures
        shared = self.source_of_texts(Texts(reformulator, dialogues))
        published = hasattr(self.config.generators[generator], "folders")
        if shared is None or published or Pictures(generator, reformulator, shared) not in self.pictures:
            return None
        return shared

    def source_of_encoded_texts(self, encoder: str, texts: Texts) -> str | None:
        """Return the dialogue set whose features of round 0's texts are taken over, if there is one."""
        shared = self.source_of_texts(texts)
        wanted = (encoder, Texts(texts.reformulator, str(shared)))
        return shared if wanted in self.encoded_texts else None

    def source_of_encoded_pictures(self, encoder: str, pictures: Pictures) -> str | None:
        """Return the dialogue set whose features of round 0's pictures are taken over, if there is one."""
        shared = self.source_of_pictures(pictures)
        wanted = (encoder, Pictures(pictures.generator, pictures.reformulator, str(shared)))
        return shared if wanted in self.encoded_pictures else None
