"""Published queries: the query text of each round stands in a file, as DAR and PlugIR released theirs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from daitir.dialogues import Dialogue
from daitir.errors import DaitirError
from daitir.queries import Query
from daitir.readers.chatir import read_chatir
from daitir.reformulators import ReleasedOptions, Work


class ReleasedReformulator:
    """Takes the queries of a file as they are; no round is joined with another.

    Rows and dialogues are matched by their target. Where a target occurs more than once in the set or the
    file, round 0, which is the caption in these files, must be equal too.
    """

    def __init__(self, options: ReleasedOptions, file: Path, dialogues: Sequence[Dialogue]) -> None:
        self.options = options
        self.file = file
        rows = read_chatir(file)
        counts = [Counter(entry.target for entry in entries) for entries in (rows, dialogues)]
        self._shared = {target for count in counts for target, number in count.items() if number > 1}
        self._refuse_twins(dialogues, "the dialogue set")
        self._refuse_twins(rows, str(file))
        self._rows = {self._name(row): row.turns for row in rows}

    def reformulate(self, work: Work) -> Iterator[Query]:
        """Yield the queries of the asked rounds of each dialogue."""
        for dialogue, rounds in work:
            texts = self._texts_of(dialogue)
            for round_ in rounds:
                text = self._text_at(texts, dialogue, round_)
                yield Query(dialogue.dialogue_id, round_, text, (text,) * self.options.prompts)

    def _name(self, entry: Dialogue) -> tuple[str, ...]:
        return (entry.target, entry.turns[0]) if entry.target in self._shared else (entry.target,)

    def _refuse_twins(self, entries: Sequence[Dialogue], where: str) -> None:
        twins = [name for name, number in Counter(map(self._name, entries)).items() if number > 1]
        if twins:
            raise DaitirError(
                f"{where} holds {len(twins)} targets with the same caption more than once, the first is"
                f" {' with '.join(map(repr, twins[0]))}: published queries cannot be told apart; remove one"
            )

    def _texts_of(self, dialogue: Dialogue) -> tuple[str, ...]:
        texts = self._rows.get(self._name(dialogue))
        if texts is None:
            caption = f" and caption {dialogue.turns[0]!r}" if dialogue.target in self._shared else ""
            raise DaitirError(
                f"{self.file} has no row for dialogue {dialogue.dialogue_id!r} (target {dialogue.target!r}"
                f"{caption}): name the file that was made from this dialogue set"
            )
        return texts

    def _text_at(self, texts: tuple[str, ...], dialogue: Dialogue, round_: int) -> str:
        if round_ >= len(texts):
            raise DaitirError(
                f"{self.file}: the row of dialogue {dialogue.dialogue_id!r} has {len(texts)} texts, none for"
                f" round {round_}: lower `rounds:` or take a complete file"
            )
        return texts[round_]
