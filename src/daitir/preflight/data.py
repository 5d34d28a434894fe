"""The data of a config: dialogue files, corpora, published material; what is there and how much of it."""

from collections.abc import Sequence
from pathlib import Path

from daitir.config import Config
from daitir.corpora import images_below, read_corpus
from daitir.dialogues import Dialogue, some_of
from daitir.errors import DaitirError
from daitir.fetch import require_published
from daitir.layout import Layout
from daitir.options import Options
from daitir.preflight.findings import Finding, State
from daitir.preflight.made import made
from daitir.preflight.models import components
from daitir.preflight.table import count
from daitir.queries import rounds_of
from daitir.readers import READERS
from daitir.readers.targets import resolve
from daitir.roots import inside


class Data:
    """What there is to work on: dialogues a set and images a corpus, None where nobody knows yet.

    ``findings`` tells of each file and folder that the config names.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.findings: list[Finding] = []
        self.read: dict[str, list[Dialogue]] = {}
        self.dialogues = {name: self._dialogues(name) for name in config.dialogues}
        self.names: dict[str, list[str]] = {}  # of the images of each corpus, where they are known
        self.corpora = {name: self._corpus(name) for name in config.corpora}
        for name in self.read:
            self._resolve(name)
        for key, component in components(config):
            for option, path in component.only("bytes", "text").items():
                if option.endswith("_template") and path is not None:
                    self._template(f"{key}.{option}", Path(path))
            for option, named in component.only("where").items():
                for dialogues, path in named.items():
                    self._published(f"{key}.{option}.{dialogues}", component, dialogues, Path(path))

    def _find(self, key: str, path: Path, state: State, detail: str) -> None:
        self.findings.append(Finding("data", key, str(path), state, detail))

    def _absent(self, key: str, path: Path) -> int | None:
        """Tell of a path that is not there; return how many dialogues or images will be in it, if known."""
        maker = made(path, self.config.results)
        if maker is None:
            self._find(key, path, "missing", "it does not exist: fetch it or mend its path")
            return None
        told = "" if maker.holds is None else f", {count(maker.holds)} in it"
        self._find(key, path, "made", f"by {maker.rule}{told}")
        return maker.holds

    def _template(self, key: str, path: Path) -> None:
        if path.is_file():
            self._find(key, path, "there", "a template")
        else:
            self._absent(key, path)

    def _dialogues(self, name: str) -> int | None:
        """Return how many dialogues of a set are worked on: those of its file, or else its limit."""
        options, key = self.config.dialogues[name], f"dialogues.{name}.file"
        if not options.file.exists():
            known = self._absent(key, options.file) or self._simulated(options.file)
            return options.limit if known is None else min(known, options.limit or known)
        try:
            require_published(options.file)
            found = READERS[options.format].read(options.file)
            taken = some_of(found, options.limit, options.file)
        except DaitirError as error:
            self._find(key, options.file, "missing", str(error))
            return options.limit
        self.read[name] = taken
        of_all = f" of {count(len(found))}" if len(taken) < len(found) else ""
        self._find(key, options.file, "there", f"{count(len(taken))}{of_all} dialogues")
        return len(taken)

    def _resolve(self, name: str) -> None:
        """Name the targets of a set as its corpus does, for pictures may be named by them."""
        options = self.config.dialogues[name]
        if options.corpus not in self.names:
            return
        corpus = self.config.corpora[options.corpus]
        find = READERS[options.format].finder(self.names[options.corpus])
        try:
            self.read[name] = resolve(self.read[name], find, options.file, corpus.list or corpus.images)
        except DaitirError as error:
            self._find(f"dialogues.{name}.corpus", options.file, "missing", str(error))

    def _simulated(self, file: Path) -> int | None:
        """Return how many dialogues a simulation will write to a file."""
        for name, simulation in self.config.simulations.items():
            if str(file) == Layout(str(self.config.results)).simulated(name):
                return simulation.targets
        return None

    def _corpus(self, name: str) -> int | None:
        """Return how many images a corpus has."""
        corpus, key = self.config.corpora[name], f"corpora.{name}"
        names: list[str] | None = None
        known: int | None = None
        if corpus.list is not None and corpus.list.exists():
            names = self._listed(f"{key}.list", corpus.list)
        elif corpus.list is not None:
            known = self._absent(f"{key}.list", corpus.list)
        key = f"{key}.images"
        if not corpus.images.is_dir():
            self._absent(key, corpus.images)
        elif names is not None:
            self._count(key, corpus.images, names, str(corpus.list))
        elif corpus.list is not None:
            self._find(key, corpus.images, "there", "a folder; its images are not known without the list")
        else:
            names = self._unlisted(key, corpus.images)
        if names is None:
            return known
        self.names[name] = names
        return len(names)

    def _listed(self, key: str, path: Path) -> list[str] | None:
        try:
            require_published(path)
            names = read_corpus(path)
        except DaitirError as error:
            self._find(key, path, "missing", str(error))
            return None
        self._find(key, path, "there", f"{count(len(names))} images listed")
        return names

    def _unlisted(self, key: str, folder: Path) -> list[str] | None:
        try:
            names, _ = images_below(folder)
        except DaitirError as error:
            self._find(key, folder, "missing", str(error))
            return None
        self._find(key, folder, "there", f"{count(len(names))} images, no list")
        return names

    def _published(self, key: str, component: Options, dialogues: str, path: Path) -> None:
        """Look for material that others published: a file, or a folder with a picture a round."""
        pattern = getattr(component, "pattern", None)
        if pattern is None or not path.is_dir():
            wanted = path.is_file() if pattern is None else path.is_dir()
            if wanted:
                self._find(key, path, "there", "a file")
            else:
                self._absent(key, path)
        elif dialogues not in self.read:
            self._find(key, path, "there", "a folder; its pictures are not known without the dialogues")
        else:
            self._count(key, path, self._pictures(component, pattern, dialogues), "`pattern`")

    def _pictures(self, component: Options, pattern: str, dialogues: str) -> list[str]:
        asked = self.config.dialogues[dialogues]
        return [
            pattern.format(
                place=dialogue.place,
                round=round_,
                k=k,
                stem=Path(dialogue.target).stem,
                target=dialogue.target,
                dialogue_id=dialogue.dialogue_id,
            )
            for dialogue in self.read[dialogues]
            for round_ in rounds_of(dialogue.dialogue_id, asked.rounds, asked.rounds_per_dialogue)
            for k in range(1, getattr(component, "images", 1) + 1)
        ]

    def _count(self, key: str, folder: Path, names: Sequence[str], source: str) -> None:
        """Count the pictures of these names in a folder; ``source`` is what names them."""
        try:
            wanted = [inside(folder, name, source) for name in names]
        except DaitirError as error:
            self._find(key, folder, "missing", str(error))
            return
        missing = [path for path in wanted if not path.is_file()]
        there = f"{count(len(wanted) - len(missing))} of {count(len(wanted))} images"
        if missing:
            self._find(key, folder, "missing", f"{there}; the first that is not there: {missing[0]}")
        else:
            self._find(key, folder, "there", there)
