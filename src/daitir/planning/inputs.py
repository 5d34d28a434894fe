"""Inputs of each stage: the files it reads, by rule."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from daitir.config.parts import System
from daitir.layout import instance_name, parts_of_instance
from daitir.options import Options
from daitir.planning.view import View
from daitir.planning.work import Pictures, Texts


class StageInputs(View):
    """What the rules hand to the stages as paths."""

    def dialogue_file(self, w: Any) -> str:
        """File that a dialogue set is imported from."""
        return str(self.config.dialogues[w.dialogues].file)

    def corpus_list_of(self, w: Any) -> str:
        """List of the corpus that a dialogue set searches."""
        return self.list_of(self.config.dialogues[w.dialogues].corpus)

    def corpus_list(self, w: Any) -> str:
        """List of a corpus."""
        return self.list_of(w.corpus)

    def corpus_images(self, w: Any) -> str:
        """Folder of a corpus's images."""
        return str(self.config.corpora[w.corpus].images)

    def simulated_list(self, w: Any) -> str:
        """List of the corpus that a simulation talks about."""
        return self.list_of(self.config.simulations[w.simulation].corpus)

    def simulated_images(self, w: Any) -> str:
        """Folder of the images that a simulation talks about."""
        return str(self.config.corpora[self.config.simulations[w.simulation].corpus].images)

    def list_of(self, corpus: str) -> str:
        """List of a corpus: the one that the config names, or that of all its images."""
        named = self.config.corpora[corpus].list
        return self.layout.corpus_list(corpus) if named is None else str(named)

    # Published by others: read where it lies.

    def released_queries(self, w: Any) -> list[str]:
        """File of published query texts, if that is what a reformulator reads; else none."""
        return _published(self.config.reformulators[w.reformulator], "files", w.dialogues)

    def released_images(self, w: Any) -> dict[str, list[str]]:
        """Folder of published images and the dialogues they are named by; none where images are drawn."""
        folder = _published(self.config.generators[w.generator], "folders", w.dialogues)
        return {"folder": folder, "dialogues": [self.layout.dialogues(w.dialogues)] if folder else []}

    # Round 0, where another dialogue set with the same captions makes it (planning/work.py). What works on a
    # shard gets the other set's shard of that name, where both are cut alike; else all of them.

    def known_dialogues(self, w: Any) -> list[str]:
        """Dialogue set that round 0 is shared with; none if it is not shared."""
        shared = self.config.dialogues[w.dialogues].round_0_from
        return [] if shared is None else [self.layout.dialogues(shared)]

    def known_queries(self, w: Any) -> list[str]:
        """Queries that those of round 0 are taken over from."""
        shared = self.work.source_of_texts(_texts(w))
        return [self.layout.queries(w.reformulator, name, shard) for name, shard in self._beside(w, shared)]

    def known_images(self, w: Any) -> list[str]:
        """Images that those of round 0 are taken over from."""
        return self._images_of(w, self.work.source_of_pictures(_pictures(w)))

    def known_encoded_queries(self, w: Any) -> dict[str, list[str]]:
        """Queries, of all shards, and features that those of round 0 are taken over from."""
        shared = self.work.source_of_encoded_texts(w.encoder, _texts(w))
        if shared is None:
            return {"known_queries": [], "known_features": []}
        return {
            "known_queries": [
                self.layout.queries(w.reformulator, shared, shard) for shard in self.shards(shared)
            ],
            "known_features": [self.layout.query_features(w.encoder, w.reformulator, shared)],
        }

    def known_encoded_images(self, w: Any) -> dict[str, list[str]]:
        """Images and features that those of round 0 are taken over from."""
        shared = self.work.source_of_encoded_pictures(w.encoder, _pictures(w))
        made_of = (w.encoder, w.generator, w.reformulator)
        features = [self.layout.image_features(*made_of, *place) for place in self._beside(w, shared)]
        return {"known_shards": self._images_of(w, shared), "known_features": features}

    def _images_of(self, w: Any, shared: str | None) -> list[str]:
        return [self.layout.images(w.generator, w.reformulator, *place) for place in self._beside(w, shared)]

    def _beside(self, w: Any, shared: str | None) -> list[tuple[str, str]]:
        """Set and shard of what holds round 0 of the shard of ``w``."""
        if shared is None:
            return []
        own, other = self.config.dialogues[w.dialogues], self.config.dialogues[shared]
        alike = (own.shards, own.limit) == (other.shards, other.limit)
        return [(shared, shard) for shard in ([w.shard] if alike else self.shards(shared))]

    def query_shards(self, w: Any) -> list[str]:
        """Queries of all shards of a dialogue set."""
        return [self.layout.queries(w.reformulator, w.dialogues, shard) for shard in self.shards(w.dialogues)]

    def train_inputs(self, w: Any) -> dict[str, Any]:
        """Everything a fusion is trained on: features of training dialogues, their images, their corpus."""
        recipe = self.config.recipe(w.fusion)
        assert recipe is not None
        return self._features(recipe.dialogues, w.encoder, w.reformulator, w.generator)

    def rank_inputs(self, w: Any) -> dict[str, Any]:
        """Everything a system ranks from."""
        system = self._system(w)
        images = system.images if self.config.fusion_of(system).uses_images else None
        stores = [
            self._features(w.dialogues, encoder, system.queries, images)
            for encoder in self.config.instances(system.encoder)
        ]
        return {
            "dialogues": self.layout.dialogues(w.dialogues),
            "queries": [store["queries"] for store in stores],
            "pictures": [path for store in stores for path in store["pictures"]],
            "corpus": [store["corpus"] for store in stores],
            "weights": self.weights(system),
        }

    def together_inputs(self, systems: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
        """Everything that systems which are ranked together rank from: all of their stores."""

        def inputs(w: Any) -> dict[str, Any]:
            each = [self.rank_inputs(SimpleNamespace(system=name, dialogues=w.dialogues)) for name in systems]
            return max(each, key=lambda one: len(one["pictures"]))

        return inputs

    def oracle_inputs(self, w: Any) -> list[str]:
        """Ranks of the systems that an oracle chooses from, in its order."""
        return [self.layout.ranks(system, w.dialogues) for system in self.config.oracles[w.oracle].of]

    def weights(self, system: System) -> list[str]:
        """Weights of a system's fusion: one file a seed, or the one of others; none if it is not trained."""
        released = getattr(self.config.fusion_of(system), "weights", None)
        if released is not None:
            return [str(released)]
        return [f"{folder}/model.safetensors" for folder in self.trained(system)]

    def trained(self, system: System) -> list[str]:
        """Folders of a system's trained fusion, one a seed; seed n takes seed n of a tuned encoder."""
        recipe = self.config.recipe(system.method)
        if recipe is None:
            return []
        assert system.images is not None
        tuned = self.config.tuned(system.encoder) is not None
        return [
            self.layout.fusion(
                system.method,
                instance_name(system.encoder, seed) if tuned else system.encoder,
                system.images,
                system.queries,
                seed,
            )
            for seed in recipe.seeds
        ]

    # Encoders that are trained further.

    def tune_inputs(self, w: Any) -> dict[str, Any]:
        """Everything an encoder is trained on: dialogues, queries, generated images, list of targets."""
        recipe = self._tuned(w).train
        shards, images = self.shards(recipe.dialogues), getattr(recipe, "images", None)
        layout, corpus = self.layout, self.config.dialogues[recipe.dialogues].corpus
        return {
            "dialogues": layout.dialogues(recipe.dialogues),
            "queries": [layout.queries(recipe.queries, recipe.dialogues, shard) for shard in shards],
            "shards": [
                layout.images(images, recipe.queries, recipe.dialogues, shard)
                for shard in shards
                if images is not None
            ],
            "list": self.list_of(corpus),
        }

    def tune_images(self, w: Any) -> str:
        """Folder of the images that an encoder is trained on."""
        return str(self.config.corpora[self.config.dialogues[self._tuned(w).train.dialogues].corpus].images)

    def fusion_histories(self, w: Any) -> list[str]:
        """Histories of the trainings of a system's fusion."""
        return [f"{folder}/history.parquet" for folder in self.trained(self._system(w))]

    def tuning_histories(self, w: Any) -> list[str]:
        """Histories of the trainings of an encoder."""
        seeds = self._tuned(w).train.seeds
        return [f"{self.layout.tuned_encoder(w.encoder, seed)}/history.parquet" for seed in seeds]

    def tuned_model(self, w: Any) -> list[str]:
        """Model directory of an encoder that is trained further; none of one that is taken as it is."""
        encoder, seed = parts_of_instance(w.encoder)
        return [] if seed is None else [f"{self.layout.tuned_encoder(encoder, seed)}/model"]

    def _features(self, dialogues: str, encoder: str, queries: str, images: str | None) -> dict[str, Any]:
        layout, corpus = self.layout, self.config.dialogues[dialogues].corpus
        pictures = [
            layout.image_features(encoder, images, queries, dialogues, shard)
            for shard in self.shards(dialogues)
            if images is not None
        ]
        return {
            "dialogues": layout.dialogues(dialogues),
            "queries": layout.query_features(encoder, queries, dialogues),
            "pictures": pictures,
            "corpus": layout.corpus_features(encoder, corpus),
        }


def _published(component: Options, field: str, dialogues: str) -> list[str]:
    published = getattr(component, field, None)
    return [] if published is None else [str(published[dialogues])]


def _texts(w: Any) -> Texts:
    return Texts(w.reformulator, w.dialogues)


def _pictures(w: Any) -> Pictures:
    return Pictures(w.generator, w.reformulator, w.dialogues)
