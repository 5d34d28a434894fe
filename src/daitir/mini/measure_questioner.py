"""Measures how good mini-questioner's questions are, in dialogues with the world about unseen scenes."""

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

from daitir.mini.answers import UNREAD, caption, reply
from daitir.mini.language import Known, all_of
from daitir.mini.measure_llm import Rewriter
from daitir.mini.questions import learn, question_request, telling
from daitir.mini.talk import ROUNDS
from daitir.mini.world import Scene, draw_scene


@dataclass
class Talk:
    """A dialogue under way, and what is known after it."""

    scene: Scene
    turns: list[str]
    known: Known
    asked: set[str]


@dataclass
class Score:
    """Questions counted: what the world can read, what is new, what is about something still unknown."""

    questions: int = 0
    read: int = 0
    new: int = 0
    open: int = 0  # asked while something was unknown that a new question could ask for
    telling: int = 0

    def add(self, talk: Talk, question: str) -> None:
        """Count one question before it is asked."""
        self.questions += 1
        self.read += question.endswith("?") and reply(talk.scene, question) != UNREAD
        self.new += question not in talk.asked
        if unknown := telling(talk.known, talk.asked):
            self.open += 1
            self.telling += question in unknown

    def __str__(self) -> str:
        """The shares in per cent."""
        shares = (self.read / self.questions, self.new / self.questions, self.telling / max(self.open, 1))
        return "  ".join(f"{100 * share:9.1f}" for share in shares)


def measure(questioner: Rewriter, count: int, seed: int = 0) -> tuple[dict[str, Score], float]:
    """Scores by round and in all, and the share of all facts of the scenes that is known in the end."""
    rng = random.Random(f"questions/{seed}")
    talks = [begin(draw_scene(rng, "val")) for _ in range(count)]
    scores: dict[str, Score] = {}
    for round_ in range(1, ROUNDS + 1):
        questions = questioner.answer([question_request(talk.turns) for talk in talks])
        for talk, question in zip(talks, questions, strict=True):
            for name in (f"round {round_}", "all rounds"):
                scores.setdefault(name, Score()).add(talk, question)
            talk.known = learn(talk.scene, talk.known, question)
            talk.asked.add(question)
            talk.turns.append(f"{question} {reply(talk.scene, question)}")
    told = sum(len(talk.known.facts) for talk in talks) / sum(len(all_of(talk.scene).facts) for talk in talks)
    return scores, told


def begin(scene: Scene) -> Talk:
    """A dialogue of a caption alone."""
    first = caption(scene)
    return Talk(scene, [first.text], first.known, set())


def main() -> None:
    """Print the shares in per cent, a line for each round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--dialogues", type=int, default=200)
    arguments = parser.parse_args()
    scores, told = measure(Rewriter(arguments.model), arguments.dialogues)
    print(f"{'':12}{'well-formed':>11}{'new':>11}{'telling':>11}")
    for name, score in sorted(scores.items(), key=lambda item: item[0] == "all rounds"):
        print(f"{name:12}  {score}")
    print(f"facts known after the last round: {100 * told:.1f} %")


if __name__ == "__main__":
    main()
