"""What is ranked again from stored features: a fusion, the images it sees, what is wrong with them.

`daitir.analyses.again` ranks it, and loads torch; so analyses import that where they rank alone.

Shape suffixes: M samples (one a dialogue and round), K generated images, D feature.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from daitir.analyses.options import SystemSources
from daitir.analyses.subject import Subject
from daitir.errors import DaitirError
from daitir.fusions import FusionOptions
from daitir.fusions.options import TextOptions
from daitir.samples import Samples, Sources, read_samples

Asked = tuple[object, ...]
Disturb = Callable[[Samples], Samples]


def unchanged(samples: Samples) -> Samples:
    """Nothing is wrong."""
    return samples


@dataclass(frozen=True)
class Variant:
    """A fusion that sees the first ``count`` images of a system's samples, after ``disturb``."""

    system: str
    fusion: FusionOptions
    sources: Sources
    count: int
    weights: tuple[Path, ...] = ()
    disturb: Disturb = unchanged

    @property
    def asked(self) -> Asked:
        """What is ranked, whoever asks for it."""
        return self.fusion.model_dump_json(), self.sources, self.count, self.weights, self.disturb


def variants_of(subject: Subject) -> Iterator[Variant]:
    """Systems whose fusion looks at generated images, as they are."""
    for name, system in subject.systems.items():
        if system.fusion is not None and not isinstance(system.fusion, TextOptions):
            files = subject.sources[name]
            sources = _sources(files)
            drawn = images_of(samples_of(sources)).shape[1]
            fixed = getattr(system.fusion, "images", None)
            yield Variant(name, system.fusion, sources, fixed or drawn, files.weights)


def _sources(files: SystemSources) -> Sources:
    assert files.dialogues is not None
    assert files.queries is not None
    assert files.corpus is not None
    return Sources(files.dialogues, files.queries, files.pictures, files.corpus)


@lru_cache(maxsize=1)  # systems of one encoder follow each other; a benchmark's features fill gigabytes
def samples_of(sources: Sources) -> Samples:
    """Return the samples that a system ranks."""
    return read_samples(sources)


def images_of(samples: Samples) -> np.ndarray:
    """Return the features of the images, M x K x D."""
    if samples.images_MKD is None:
        raise DaitirError("ranking with other images needs the features of generated images")
    return samples.images_MKD
