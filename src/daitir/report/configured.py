"""The config as the page reads it: its own small part, whatever else a config holds.

The whole config was validated when it was loaded. What a stage is handed lacks the settings that change no
bytes, the address of a server among them, so it is no longer a whole config.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from daitir.analyses.options import Analysis
from daitir.layout import Layout
from daitir.report.claims import Claim
from daitir.report.expected import ExpectedValues
from daitir.report.run import System


class Part(BaseModel):
    """Part of the config that the page looks at."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ConfiguredSystem(Part):
    """A system of the config."""

    encoder: str
    queries: str
    images: str | None = None
    method: str
    baseline: str | None = None
    dialogues: tuple[str, ...] | None = None

    def is_measured_on(self, dialogues: str) -> bool:
        """Whether the system has a row on a dialogue set."""
        return self.dialogues is None or dialogues in self.dialogues


class ConfiguredOracle(Part):
    """An oracle of the config: it is measured where all systems are that it chooses from."""

    of: tuple[str, ...]
    baseline: str | None = None


class ConfiguredDialogues(Part):
    """A dialogue set of the config."""

    corpus: str
    shards: int = 1


class ConfiguredCorpus(Part):
    """A corpus of the config; one without a list was listed by the workflow."""

    images: Path
    list: Path | None = None


class Material(Part):
    """A reformulator or generator; one of published material names a file or folder a dialogue set."""

    files: dict[str, str] = {}
    folders: dict[str, str] = {}


class Settings(Part):
    """What the config says of measures and page."""

    hits: tuple[int, ...]
    rounds: tuple[int, ...]
    examples: int
    resamples: int
    expected: tuple[ExpectedValues, ...] = ()
    claims: tuple[Claim, ...] = ()
    analyses: tuple[Analysis, ...] = ()


class Configured(Part):
    """The config, as far as the page needs it."""

    corpora: dict[str, ConfiguredCorpus]
    dialogues: dict[str, ConfiguredDialogues]
    reformulators: dict[str, Material] = {}
    generators: dict[str, Material] = {}
    systems: dict[str, ConfiguredSystem]
    oracles: dict[str, ConfiguredOracle] = {}
    evaluate: tuple[str, ...]
    report: Settings

    def systems_on(self, dialogues: str, order: tuple[str, ...]) -> dict[str, System]:
        """Return the systems and oracles that are measured on a dialogue set, in the order of the config."""
        found = {}
        for place, name in enumerate(order):
            if name in self.oracles:
                oracle = self.oracles[name]
                if all(self.systems[one].is_measured_on(dialogues) for one in oracle.of):
                    found[name] = System(name, "", "", None, "oracle", oracle.baseline, place, oracle.of)
            elif self.systems[name].is_measured_on(dialogues):
                fields = self.systems[name].model_dump(exclude={"dialogues"})
                found[name] = System(name, **fields, place=place)
        return found

    def corpus_list(self, corpus: str, layout: Layout) -> Path:
        """Return the list of a corpus: the config's, or the one that the workflow made."""
        return self.corpora[corpus].list or Path(layout.corpus_list(corpus))

    @property
    def published(self) -> dict[tuple[str, str], dict[str, str]]:
        """Where published queries and pictures are read: (role, component) -> dialogue set -> path."""
        found = {("reformulator", name): one.files for name, one in self.reformulators.items()}
        return found | {("generator", name): one.folders for name, one in self.generators.items()}
