"""Whether a file holds every dialogue, round and image of its shard, each once and no other."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from daitir.config import Config
from daitir.planning import Plan
from daitir.planning.inventory import Job
from daitir.queries import picks_shard, picture_key, query_key, rounds_of
from daitir.verify.reading import Artefacts, Known


class Completeness:
    """What the rows of each job's file must be, by the dialogues and the config."""

    def __init__(self, plan: Plan, artefacts: Artefacts) -> None:
        self.plan, self.config, self.artefacts = plan, plan.config, artefacts

    def fault(self, job: Job, known: Known) -> str:
        """Return in words what a job's file lacks or has too much; nothing if it is complete."""
        check = getattr(self, f"_{job.rule}", None)
        return "" if check is None else check(job.wildcards, known)

    def _import_dialogues(self, w: Any, known: Known) -> str:
        limit = self.config.dialogues[w.dialogues].limit
        short = limit is not None and limit != len(known.rows)
        return f"holds {len(known.rows)} dialogues, not {limit}" if short else ""

    def _reformulate_dialogues(self, w: Any, known: Known) -> str:
        wanted = self.queries(w)
        return "" if wanted is None else compared([query.key for query in known.rows], wanted, "queries")

    def _generate_images(self, w: Any, known: Known) -> str:
        wanted = self.pictures(w)
        return "" if wanted is None else compared(known.rows, wanted, "images")

    def _encode_images(self, w: Any, known: Known) -> str:
        wanted = self.pictures(w)
        return "" if wanted is None else compared(known.rows, wanted, "features of images")

    def _encode_queries(self, w: Any, known: Known) -> str:
        wanted = self.queries(w)
        return "" if wanted is None else compared(known.rows, wanted, "features of queries")

    def _encode_corpus(self, w: Any, known: Known) -> str:
        listed = self.artefacts.read(self.plan.corpus_list(w))
        return "" if listed is None else compared(known.rows, listed.rows, "features of candidates")

    def _rank_oracle(self, w: Any, known: Known) -> str:
        return self._ranked(w.dialogues, known, None)

    def _rank_candidates(self, w: Any, known: Known) -> str:
        system = self.config.systems[w.system]
        return self._ranked(w.dialogues, known, seeds_of(self.config, system))

    _rank_together = _rank_candidates

    def _ranked(self, dialogues: str, known: Known, seeds: Sequence[int] | None) -> str:
        found = self.artefacts.read(self.plan.layout.dialogues(dialogues))
        if found is None:
            return ""
        rows = zip(*(known.rows[name] for name in ("dialogue_id", "round", "seed")), strict=True)
        keys = [(query_key(name, round_), int(seed)) for name, round_, seed in rows]
        wanted = self._keys(dialogues, [one.dialogue_id for one in found.rows])
        each = sorted(set(known.rows["seed"])) if seeds is None else seeds
        fault = compared(keys, [(key, int(seed)) for seed in each for key in wanted], "ranks")
        targets = {one.dialogue_id: one.target for one in found.rows}
        moved = known.rows[known.rows["target"] != known.rows["dialogue_id"].map(targets)]
        if not fault and len(moved):
            return f"has other targets than the dialogues: {len(moved)}, first of {moved.iloc[0, 0]!r}"
        return fault

    def queries(self, w: Any) -> list[str] | None:
        """Return the keys of a shard's queries, or of all of a dialogue set; None if nobody knows them."""
        known = self.artefacts.read(self.plan.layout.dialogues(w.dialogues))
        if known is None:
            return None
        ids = [one.dialogue_id for one in known.rows]
        shard = getattr(w, "shard", None)
        return self._keys(w.dialogues, ids if shard is None else sorted(picks_shard(ids, shard)))

    def _keys(self, dialogues: str, ids: Iterable[str]) -> list[str]:
        options = self.config.dialogues[dialogues]
        return [
            query_key(name, round_)
            for name in ids
            for round_ in rounds_of(name, options.rounds, options.rounds_per_dialogue)
        ]

    def pictures(self, w: Any) -> list[str] | None:
        """Return the keys of a shard's images; None if nobody knows them."""
        known = self.artefacts.read(self.plan.layout.dialogues(w.dialogues))
        if known is None:
            return None
        ids = picks_shard([one.dialogue_id for one in known.rows], w.shard)
        options = self.config.dialogues[w.dialogues]
        images = self.config.generators[w.generator].images
        return [
            picture_key(name, round_, k)
            for name in sorted(ids)
            for round_ in rounds_of(name, options.rounds, options.rounds_per_dialogue)
            for k in range(1, images + 1)
        ]


def seeds_of(config: Config, system: Any) -> Sequence[int] | None:
    """Return the seeds that a system is ranked with; None where only the weights of others know."""
    recipe, tuned = config.recipe(system.method), config.tuned(system.encoder)
    if tuned is not None:
        return tuned.train.seeds
    if recipe is not None:
        return recipe.seeds
    return None if getattr(config.fusion_of(system), "weights", None) is not None else (0,)


def compared(found: Iterable[Any], wanted: Iterable[Any], what: str) -> str:
    """Return in words how what was found differs from what is wanted; nothing if each is there once."""
    there, asked = Counter(iter(found)), Counter(iter(wanted))
    parts = []
    for word, keys in (
        ("lacks", asked.keys() - there.keys()),
        ("has too many", there.keys() - asked.keys()),
        ("repeats", {key for key, count in there.items() if count > 1}),
    ):
        if keys:
            parts.append(f"{word} {len(keys)} of {len(asked)} {what}, first {_written(min(keys))}")
    return "; ".join(parts)


def _written(key: Any) -> str:
    return key if isinstance(key, str) else f"{key[0]} of seed {key[1]}"
