"""How much work a config is, by stage: items, hours where a component says its rate, bytes that are stored.

Items are an upper bound: equal messages are asked and equal pictures drawn once, and what an earlier run left
is not made again. ``per_second`` of a component counts its own items: answers, pictures, or texts and images.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from daitir.config import Config
from daitir.layout import parts_of_instance
from daitir.options import Options
from daitir.planning.jobs import Jobs, is_drawn
from daitir.planning.work import Pictures, Texts
from daitir.preflight.data import Data
from daitir.preflight.hub import Hub
from daitir.preflight.models import models_of, reader
from daitir.preflight.sizes import ReadJson, feature_bytes, feature_width, picture_bytes
from daitir.queries import rounds_of


@dataclass(frozen=True)
class Work:
    """One line of the estimate: what a component does to a dialogue set or corpus.

    ``items`` is what it computes and ``shared`` what it takes over from another dialogue set's round 0;
    ``hours`` and ``size`` (bytes) are None where they are not known, ``rated`` whether hours could be.
    """

    stage: str
    component: str
    of: str
    items: int | None
    unit: str
    hours: float | None = None
    size: int | None = 0
    shared: int = 0
    rated: bool = True


class Estimate:
    """Estimates the work of a config from its data and the configs of its models."""

    def __init__(self, config: Config, data: Data, hub: Hub) -> None:
        self.config, self.data = config, data
        self.read: dict[str, ReadJson] = {model.key: reader(model, hub) for model in models_of(config)}
        self.jobs = Jobs(config)

    def lines(self) -> Iterator[Work]:
        """Yield the work, stage by stage."""
        jobs = self.jobs
        for name in self.config.simulations:
            yield from self._simulate(name)
        yield from map(self._reformulate, jobs.in_order(jobs.texts))
        yield from map(self._generate, jobs.in_order(jobs.pictures))
        for encoder, corpus in jobs.in_order(jobs.encoded_corpora):
            yield self._encode(encoder, corpus, self.data.corpora[corpus], 0, "images")
        for encoder, texts in jobs.in_order(jobs.encoded_texts):
            rows, shared = self._queries(texts.dialogues, jobs.source_of_encoded_texts(encoder, texts))
            yield self._encode(encoder, f"{texts.reformulator}, {texts.dialogues}", rows, shared, "texts")
        for encoder, drawn in jobs.in_order(jobs.encoded_pictures):
            rows, shared = self._pictures(drawn, jobs.source_of_encoded_pictures(encoder, drawn))
            yield self._encode(encoder, ", ".join(drawn), rows, shared, "pictures")
        for encoder, recipe in jobs.tunings.items():
            of, trainings = f"{recipe.queries}, {recipe.dialogues}", len(recipe.seeds)
            yield Work("tune", encoder, of, trainings, "trainings", rated=False)
        for (fusion, encoder, drawn), seeds in jobs.trainings.items():
            yield Work("train", fusion, ", ".join([encoder, *drawn]), seeds, "trainings", rated=False)

    def _simulate(self, name: str) -> Iterator[Work]:
        """Yield captions, questions and answers: the first turn is a caption, each other a question."""
        simulation = self.config.simulations[name]
        known = self.data.corpora[simulation.corpus]
        targets = simulation.targets or known
        asked = None if targets is None else targets * (simulation.rounds - 1)
        captioner = simulation.captioner or simulation.answerer
        for options, items, unit in (
            (captioner, targets, "captions"),
            (simulation.questioner, asked, "questions"),
            (simulation.answerer, asked, "answers"),
        ):
            yield Work("simulate", name, simulation.corpus, items, unit, _hours(options, items))

    def _reformulate(self, texts: Texts) -> Work:
        options = self.config.reformulators[texts.reformulator]
        rows, shared = self._queries(texts.dialogues, self.jobs.source_of_texts(texts))
        asked = hasattr(options, "max_new_tokens")
        each = 1 + options.prompts if asked else 1
        new = None if rows is None else (rows - shared) * each
        return Work(
            "reformulate",
            texts.reformulator,
            texts.dialogues,
            new,
            "answers" if asked else "queries",
            _hours(options, new),
            shared=shared * each,
            rated=asked,
        )

    def _generate(self, drawn: Pictures) -> Work:
        options = self.config.generators[drawn.generator]
        rows, shared = self._pictures(drawn, self.jobs.source_of_pictures(drawn))
        each = picture_bytes(options, self.read.get(f"generators.{drawn.generator}", _nothing))
        new = None if rows is None else rows - shared
        drawn_here = is_drawn(self.config, drawn.generator)
        return Work(
            "generate",
            drawn.generator,
            f"{drawn.reformulator}, {drawn.dialogues}",
            new,
            "pictures" if drawn_here else "links",
            _hours(options, new),
            size=None if rows is None or each is None else rows * each,
            shared=shared,
            rated=drawn_here,
        )

    def _encode(self, encoder: str, of: str, rows: int | None, shared: int, unit: str) -> Work:
        options = self.config.base_encoder(encoder)
        name, _ = parts_of_instance(encoder)
        tuned = self.config.tuned(name)
        base = name if tuned is None else tuned.encoder
        width = feature_width(options, self.read.get(f"encoders.{base}", _nothing))
        new = None if rows is None else rows - shared
        size = None if rows is None or width is None else feature_bytes(rows, width)
        return Work("encode", encoder, of, new, unit, _hours(options, new), size=size, shared=shared)

    def _pictures(self, drawn: Pictures, source: str | None) -> tuple[int | None, int]:
        """Return all pictures, and how many of them are taken over from ``source``."""
        images = self.config.generators[drawn.generator].images
        rows, shared = self._queries(drawn.dialogues, source)
        return None if rows is None else rows * images, shared * images

    def _queries(self, dialogues: str, source: str | None) -> tuple[int | None, int]:
        """Return all queries of a dialogue set, and how many come from round 0 of ``source``."""
        number = self.data.dialogues[dialogues]
        if number is None:
            return None, 0
        options = self.config.dialogues[dialogues]
        rounds = min(options.rounds, options.rounds_per_dialogue or options.rounds)
        return number * rounds, 0 if source is None else self._openings(dialogues, source)

    def _openings(self, *sets: str) -> int:
        """Return how many dialogues have a query of round 0 in all these sets."""
        opened = [self._opened(name) for name in sets]
        known = [ids for ids in opened if ids is not None]
        if len(known) == len(sets):
            return len(set.intersection(*known))
        # A file that is not there yet: the import sees to it that its dialogues are the same.
        whole = all(len(self._rounds(name, "")) == self.config.dialogues[name].rounds for name in sets)
        sizes = [number for name in sets if (number := self.data.dialogues[name]) is not None]
        return min(sizes) if whole else 0

    def _opened(self, dialogues: str) -> set[str] | None:
        """Return the dialogues of a set that have a query of round 0; None where they are not known."""
        if dialogues not in self.data.read:
            return None
        ids = [dialogue.dialogue_id for dialogue in self.data.read[dialogues]]
        return {name for name in ids if 0 in self._rounds(dialogues, name)}

    def _rounds(self, dialogues: str, dialogue_id: str) -> list[int]:
        options = self.config.dialogues[dialogues]
        return rounds_of(dialogue_id, options.rounds, options.rounds_per_dialogue)


def _hours(component: Options, items: int | None) -> float | None:
    rate = getattr(component, "per_second", None)
    return None if rate is None or items is None else items / rate / 3600


def _nothing(name: str) -> None:
    return None
