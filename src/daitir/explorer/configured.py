"""The config as the explorer reads it: which systems stand beside each other on which dialogue set."""

from dataclasses import dataclass

from pydantic import Field

from daitir.explorer.options import ExplorerSettings
from daitir.layout import Layout
from daitir.report.configured import ConfiguredCorpus, ConfiguredDialogues, ConfiguredSystem, Part


@dataclass(frozen=True)
class Shown:
    """A system as the page shows it; an oracle has no query texts and no images of its own.

    ``place`` is its place in the config and decides its colour, ``drawn`` how many images a round has.
    """

    name: str
    place: int
    baseline: str | None = None
    queries: str | None = None
    images: str | None = None
    drawn: int = 0

    @property
    def pictures(self) -> str | None:
        """Name of its images on the page: generator and reformulator, if it has any."""
        return None if self.images is None else f"{self.images}.{self.queries}"


class ConfiguredGenerator(Part):
    """A generator of the config."""

    images: int = 1


class ConfiguredOracle(Part):
    """An oracle: it stands where all systems stand that it chooses from."""

    of: tuple[str, ...]
    baseline: str | None = None


class Settings(Part):
    """The explorer's part of the settings of the report."""

    explorer: ExplorerSettings = ExplorerSettings()


class Configured(Part):
    """The config, as far as the explorer needs it."""

    corpora: dict[str, ConfiguredCorpus]
    dialogues: dict[str, ConfiguredDialogues]
    generators: dict[str, ConfiguredGenerator] = Field({})
    systems: dict[str, ConfiguredSystem]
    oracles: dict[str, ConfiguredOracle] = Field({})
    evaluate: tuple[str, ...]
    report: Settings = Settings()

    def corpus_list(self, corpus: str, layout: Layout) -> str:
        """Return the list of a corpus: the config's, or the one that the workflow made."""
        named = self.corpora[corpus].list
        return layout.corpus_list(corpus) if named is None else str(named)

    def shown_on(self, dialogues: str, order: tuple[str, ...]) -> list[Shown]:
        """Return what has ranks on a dialogue set: systems in the order of the config, then oracles."""
        oracles = [name for name in order if name in self.oracles]
        names = [name for name in order if name in self.systems]
        there = {name for name in names if self.systems[name].is_measured_on(dialogues)}
        found = [self._system(name, place) for place, name in enumerate(names) if name in there]
        for place, name in enumerate(oracles, start=len(names)):
            if there >= set(self.oracles[name].of):
                found.append(Shown(name, place, self.oracles[name].baseline))
        return found

    def _system(self, name: str, place: int) -> Shown:
        system = self.systems[name]
        drawn = 0 if system.images is None else self.generators[system.images].images
        return Shown(name, place, system.baseline, system.queries, system.images, drawn)
