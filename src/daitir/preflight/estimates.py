"""How much work a config is, by stage: items, hours where a component says its rate, bytes that are stored.

Items are an upper bound: equal messages are asked and equal pictures drawn once, and what an earlier run left
is not made again. ``per_second`` of a component counts its own items: answers, pictures, or texts and images.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from daitir.config import Config
from daitir.options import Options
from daitir.preflight.data import Data
from daitir.preflight.hub import Hub
from daitir.preflight.jobs import Jobs, Pictures, Texts, is_drawn, is_written
from daitir.preflight.models import models_of, reader
from daitir.preflight.sizes import ReadJson, feature_bytes, feature_width, picture_bytes


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
        for name in self.config.simulations:
            yield from self._simulate(name)
        yield from map(self._reformulate, self.jobs.texts)
        yield from map(self._generate, self.jobs.pictures)
        for encoder, corpus in self.jobs.encoded_corpora:
            yield self._encode(encoder, corpus, self.data.corpora[corpus], 0, "images")
        for encoder, texts in self.jobs.encoded_texts:
            rows, shared = self._queries(texts.dialogues, is_written(self.config, texts.reformulator))
            yield self._encode(encoder, f"{texts.reformulator}, {texts.dialogues}", rows, shared, "texts")
        for encoder, drawn in self.jobs.encoded_pictures:
            rows, shared = self._pictures(drawn)
            yield self._encode(encoder, ", ".join(drawn), rows, shared, "pictures")
        for (fusion, encoder, drawn), seeds in self.jobs.trainings.items():
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
        rows, shared = self._queries(texts.dialogues, is_written(self.config, texts.reformulator))
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
        rows, shared = self._pictures(drawn)
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
        options = self.config.encoders[encoder]
        width = feature_width(options, self.read.get(f"encoders.{encoder}", _nothing))
        new = None if rows is None else rows - shared
        size = None if rows is None or width is None else feature_bytes(rows, width)
        return Work("encode", encoder, of, new, unit, _hours(options, new), size=size, shared=shared)

    def _pictures(self, drawn: Pictures) -> tuple[int | None, int]:
        """Return all pictures, and how many of them are taken over."""
        images = self.config.generators[drawn.generator].images
        rows, shared = self._queries(drawn.dialogues, is_drawn(self.config, drawn.generator))
        return None if rows is None else rows * images, shared * images

    def _queries(self, dialogues: str, may_share: bool) -> tuple[int | None, int]:
        """Return all queries of a dialogue set, and how many come from another's round 0."""
        options, number = self.config.dialogues[dialogues], self.data.dialogues[dialogues]
        if number is None:
            return None, 0
        rounds = min(options.rounds, options.rounds_per_dialogue or options.rounds)
        # Which rounds are drawn where there are fewer is not known here.
        shares = may_share and options.round_0_from is not None and rounds == options.rounds
        return number * rounds, number if shares else 0


def _hours(component: Options, items: int | None) -> float | None:
    rate = getattr(component, "per_second", None)
    return None if rate is None or items is None else items / rate / 3600


def _nothing(name: str) -> None:
    return None
