"""The dialogue as it is: the baseline that retrieves with the turns joined by commas (ChatIR's protocol)."""

from collections.abc import Iterator

from daitir.queries import Query
from daitir.reformulators import JoinOptions, Work


class JoinReformulator:
    """Joins the turns; each prompt is the same text, so the K images differ by their seeds alone."""

    def __init__(self, options: JoinOptions) -> None:
        self.options = options

    def reformulate(self, work: Work) -> Iterator[Query]:
        """Yield the queries of the asked rounds of each dialogue."""
        for dialogue, rounds in work:
            for round_ in rounds:
                text = self.options.separator.join(dialogue.turns[: round_ + 1])
                yield Query(dialogue.dialogue_id, round_, text, (text,) * self.options.prompts)
