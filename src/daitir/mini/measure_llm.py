"""Measures how true mini-llm's captions and image prompts are, on scenes that no model has seen."""

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from daitir.mini.chats import PROMPTS, prompt_request, query_request
from daitir.mini.language import Known, describe, parse, prompt
from daitir.mini.talk import STYLES, Turn, hold_dialogue
from daitir.mini.world import draw_scene

ROUNDS = (0, 1, 2, 5, 8, 10)


class Rewriter:
    """Answers requests greedily with a chat model from a directory."""

    def __init__(self, model: Path, batch_size: int = 64):
        self.tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(model).eval()
        self.batch_size = batch_size

    def answer(self, requests: Sequence[str]) -> list[str]:
        """One answer for each request; those of like length share a batch."""
        order = sorted(range(len(requests)), key=lambda i: len(requests[i]))
        answers = [""] * len(requests)
        for first in range(0, len(order), self.batch_size):
            part = order[first : first + self.batch_size]
            for i, text in zip(part, self._answer([requests[i] for i in part]), strict=True):
                answers[i] = text
        return answers

    @torch.inference_mode()
    def _answer(self, requests: list[str]) -> list[str]:
        chats = [[{"role": "user", "content": request}] for request in requests]
        inputs = self.tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
        )
        tokens = self.model.generate(**inputs, do_sample=False)[:, inputs["input_ids"].shape[1] :]
        return self.tokenizer.batch_decode(tokens, skip_special_tokens=True)


@dataclass
class Score:
    """How far answers say what they should: the same words, and the same facts."""

    answers: int = 0
    exact: int = 0
    said: int = 0
    true: int = 0
    known: int = 0

    def add(self, answer: str, expected: str, known: Known) -> None:
        """Count one answer."""
        said = parse(answer).facts
        self.answers += 1
        self.exact += answer == expected
        self.said += len(said)
        self.known += len(known.facts)
        self.true += len(said & known.facts)

    def __str__(self) -> str:
        """The same words, precision and recall of the facts, in per cent."""
        shares = (self.exact / self.answers, self.true / max(self.said, 1), self.true / max(self.known, 1))
        return "  ".join(f"{100 * share:9.1f}" for share in shares)


def draw_dialogues(count: int, seed: int = 0) -> Iterator[tuple[str, list[Turn]]]:
    """``count`` dialogues of each style about scenes of the split "val"."""
    rng = random.Random(f"measure/{seed}")
    for style in STYLES:
        for _ in range(count):
            yield style, hold_dialogue(draw_scene(rng, "val"), rng, style)


def measure(rewriter: Rewriter, count: int) -> dict[str, Score]:
    """Scores of the captions by style and round, of the prompts by their number."""
    wanted = [
        (f"{style}, round {round_}", turns, round_)
        for style, turns in draw_dialogues(count)
        for round_ in ROUNDS
    ]
    texts = rewriter.answer([query_request([turn.text for turn in turns[: r + 1]]) for _, turns, r in wanted])
    scores: dict[str, Score] = {}
    for (name, turns, round_), text in zip(wanted, texts, strict=True):
        known = turns[round_].known
        scores.setdefault(name, Score()).add(text, describe(known), known)
    for k in range(1, PROMPTS + 1):
        prompts = rewriter.answer([prompt_request(text, k) for text in texts])
        for text, answer in zip(texts, prompts, strict=True):
            scores.setdefault(f"prompt {k}", Score()).add(answer, prompt(parse(text), k), parse(text))
    return scores


def main() -> None:
    """Print the scores in per cent, a line for each style and round, and for each prompt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--dialogues", type=int, default=100, help="dialogues of each style")
    arguments = parser.parse_args()
    print(f"{'':22}{'same words':>11}{'precision':>11}{'recall':>11}")
    for name, score in measure(Rewriter(arguments.model), arguments.dialogues).items():
        print(f"{name:22}  {score}")


if __name__ == "__main__":
    main()
