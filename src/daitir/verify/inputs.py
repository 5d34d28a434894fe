"""Whether a file was made from the files that lie there now: the digests that it notes against theirs."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from daitir.errors import DaitirError
from daitir.features import read_features
from daitir.files import digest_text
from daitir.layout import parts_of_instance
from daitir.planning import Plan
from daitir.planning.inventory import Job
from daitir.queries import digest_queries
from daitir.shards import ShardPictures
from daitir.verify.reading import Artefacts, Known

Digests = Iterator[tuple[str, str | None]]


class Inputs:
    """Digests of what each job reads, by the roles under which its file notes them.

    Images of a corpus and published pictures are not read for it: they are known by their names and by the
    digests in their shards.
    """

    def __init__(self, plan: Plan, artefacts: Artefacts) -> None:
        self.plan, self.artefacts = plan, artefacts

    def changed(self, job: Job, known: Known) -> list[str]:
        """Return the roles whose files are not those that a job's file was made from."""
        noted = known.record.get("inputs", {})
        return [role for role, digest in self.now(job).items() if noted.get(role) != digest]

    def now(self, job: Job) -> dict[str, str]:
        """Return the digests of what a job reads, as far as they are known, by their roles."""
        find = getattr(self, f"_{job.rule}", None)
        found = () if find is None else find(job)
        return {role: digest for role, digest in found if digest is not None}

    def _import_dialogues(self, job: Job) -> Digests:
        for path in job.inputs["round_0"]:
            yield "round_0", self.artefacts.digest(path)

    def _reformulate_dialogues(self, job: Job) -> Digests:
        yield "dialogues", self.artefacts.digest(job.inputs["dialogues"])
        for path in job.inputs["released"]:
            yield "released", self.artefacts.digest(path)

    def _generate_images(self, job: Job) -> Digests:
        yield "queries", self._queries(job.inputs["queries"])

    def _encode_corpus(self, job: Job) -> Digests:
        yield from self._model(job)

    def _encode_queries(self, job: Job) -> Digests:
        yield "queries", self._queries(job.inputs["queries"])
        yield from self._model(job)

    def _encode_images(self, job: Job) -> Digests:
        yield "pictures", self.artefacts.digest(job.inputs["pictures"])
        yield from self._model(job)

    def _model(self, job: Job) -> Digests:
        for path in job.inputs["model"]:
            yield "model", self.artefacts.digest(path)

    def _tune_encoder(self, job: Job) -> Digests:
        yield "dialogues", self.artefacts.digest(job.inputs["dialogues"])
        yield "queries", self._queries(job.inputs["queries"])
        if job.inputs["shards"]:
            yield "pictures", _digest_of_shards(tuple(job.inputs["shards"]))

    def _train_fusion(self, job: Job) -> Digests:
        given = job.inputs
        yield from self._samples(given["dialogues"], given["queries"], given["pictures"], given["corpus"])

    def _rank_candidates(self, job: Job) -> Digests:
        given, seeds = job.inputs, self._seeds(job)
        shared = len(given["pictures"]) // len(seeds)  # of each seed of the encoder as many
        for place, seed in enumerate(seeds):
            pictures = given["pictures"][place * shared : (place + 1) * shared]
            stores = (given["queries"][place], pictures, given["corpus"][place])
            for role, digest in self._samples(given["dialogues"], *stores):
                is_shared = seed is None or role in {"dialogues", "candidates"}
                yield role if is_shared else f"{role} of seed {seed}", digest
        for path in given["weights"]:
            known = self.artefacts.read(path)
            if known is not None:
                yield f"weights of seed {known.record['options']['seed']}", known.digest

    _rank_together = _rank_candidates

    def _rank_oracle(self, job: Job) -> Digests:
        named = zip(self.plan.config.oracles[job.wildcards.oracle].of, job.inputs["ranks"], strict=True)
        for system, path in named:
            yield f"ranks of {system}", self.artefacts.digest(path)

    def _seeds(self, job: Job) -> list[int | None]:
        encoder = self.plan.config.systems[job.wildcards.system].encoder
        return [parts_of_instance(name)[1] for name in self.plan.config.instances(encoder)]

    def _samples(self, dialogues: str, queries: str, pictures: Sequence[str], corpus: str) -> Digests:
        candidates = self.artefacts.read(corpus)
        yield "dialogues", self.artefacts.digest(dialogues)
        yield "candidates", None if candidates is None else digest_text(*candidates.rows)
        yield "queries", self.artefacts.digest(queries)
        yield "corpus", None if candidates is None else candidates.digest
        if pictures:
            yield "pictures", self._features(pictures)

    def _features(self, paths: Sequence[str]) -> str | None:
        if len(paths) == 1:
            return self.artefacts.digest(paths[0])
        there = all(self.artefacts.read(path) for path in paths)
        return _digest_of_stores(tuple(paths)) if there else None

    def _queries(self, paths: Sequence[str]) -> str | None:
        shards = self.artefacts.rows(paths)
        if shards is None:
            return None
        rows = [query for shard in shards for query in shard]
        return digest_queries(sorted(rows, key=lambda query: (query.dialogue_id, query.round)))


@cache
def _digest_of_stores(paths: tuple[str, ...]) -> str | None:
    try:
        return read_features(*map(Path, paths)).digest
    except DaitirError:
        return None  # told of the files themselves


@cache
def _digest_of_shards(paths: tuple[str, ...]) -> str | None:
    try:
        return ShardPictures([Path(path) for path in paths]).digest
    except DaitirError:
        return None


def options_differ(job: Job, known: Known) -> str:
    """Return in words which options a file was not made with; nothing if they are those of the config."""
    wanted, noted = job.options, known.record.get("options")
    if wanted is None or noted is None:
        return ""
    seed: dict[str, Any] = (
        {} if job.rule not in {"tune_encoder", "train_fusion"} else {"seed": int(job.wildcards.seed)}
    )
    return ", ".join(_differences(noted, wanted | seed))


def _differences(noted: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of options that differ, each with its value then and now."""
    if isinstance(noted, dict) and isinstance(wanted, dict):
        for name in sorted(noted.keys() | wanted.keys()):
            yield from _differences(noted.get(name), wanted.get(name), f"{path}.{name}".lstrip("."))
    elif noted != wanted:
        yield f"{path} {_short(noted)}, now {_short(wanted)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
