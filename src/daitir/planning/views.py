"""Which tuned encoders are compared with what they came from, on which dialogues, and from which files."""

import shlex
from typing import Any

from daitir.errors import DaitirError
from daitir.layout import instance_name, parts_of_instance
from daitir.planning.inputs import StageInputs
from daitir.planning.work import Pictures


class ViewComparisons(StageInputs):
    """Text, image and target before and after tuning: for each tuned encoder whose systems look at images."""

    @property
    def compared_views(self) -> dict[tuple[str, str], Pictures]:
        """The pictures that are looked at, by tuned encoder and evaluated dialogue set; the first by name."""
        found: dict[tuple[str, str], Pictures] = {}
        for instance, pictures in sorted(self.work.encoded_pictures, reverse=True):
            encoder, seed = parts_of_instance(instance)
            if seed is not None and pictures.dialogues in self.config.evaluate:
                found[encoder, pictures.dialogues] = pictures
        return dict(sorted(found.items()))

    @property
    def view_tables(self) -> list[str]:
        """Tables of all such comparisons."""
        return [self.layout.table(f"views-{'.'.join(key)}") for key in self.compared_views]

    @property
    def view_figures(self) -> list[str]:
        """Figures of all such comparisons."""
        return [self.layout.figure(f"views-{'.'.join(key)}") for key in self.compared_views]

    def view_inputs(self, w: Any) -> dict[str, Any]:
        """Dialogues, pictures and corpus of a comparison, and the features under each encoder."""
        pictures, layout = self._compared_pictures(w), self.layout
        drawn = (pictures.generator, pictures.reformulator, pictures.dialogues)
        return {
            "dialogues": layout.dialogues(w.dialogues),
            "shards": [layout.images(*drawn, shard) for shard in self.shards(w.dialogues)],
            "list": self.list_of(self.config.dialogues[w.dialogues].corpus),
            "stores": [path for stores in self._view_stores(w).values() for path in stores],
        }

    def view_images(self, w: Any) -> str:
        """Folder of the targets of a comparison."""
        return str(self.config.corpora[self.config.dialogues[w.dialogues].corpus].images)

    def view_encoders(self, w: Any) -> str:
        """The ``--encoder`` arguments of a comparison: the one that was tuned, then each seed."""
        return " ".join(
            shlex.join(["--encoder", name, *stores]) for name, stores in self._view_stores(w).items()
        )

    def _view_stores(self, w: Any) -> dict[str, list[str]]:
        tuned, pictures = self._tuned(w), self._compared_pictures(w)
        corpus = self.config.dialogues[w.dialogues].corpus
        names = [tuned.encoder, *(instance_name(w.encoder, seed) for seed in tuned.train.seeds)]
        return {
            name: [
                self.layout.query_features(name, pictures.reformulator, w.dialogues),
                self.layout.corpus_features(name, corpus),
                *(self.layout.image_features(name, *pictures, shard) for shard in self.shards(w.dialogues)),
            ]
            for name in names
        }

    def _compared_pictures(self, w: Any) -> Pictures:
        try:
            return self.compared_views[w.encoder, w.dialogues]
        except KeyError:
            raise DaitirError(
                f"no system with the encoder {w.encoder!r} looks at images of {w.dialogues!r}: add one"
            ) from None
