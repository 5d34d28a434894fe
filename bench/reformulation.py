"""Reformulation in batches against one dialogue at a time: ``python -m bench.reformulation``.

The reformulate stage's chat model and asking, for query texts and prompts of whole dialogues, against scripts
that ask the model's own ``generate``, dialogue by dialogue: one text after the other, as interactive systems
do, or the texts of a dialogue's rounds in one batch and then all their prompts in another. Equal messages are
asked once by the stage, again and again by the scripts. The answers must agree. Then against the same stage
reading every message from its first token, beginnings shared with others included.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from bench.common import Row, component_of, in_turn, make_dialogues, parser_of, tell
from transformers import AutoModelForCausalLM, AutoTokenizer

from daitir.chat.answers import clean
from daitir.chat.transformers import TransformersChat
from daitir.dialogues import Dialogue
from daitir.queries import Query, query_key
from daitir.reformulators import TransformersOptions, Work
from daitir.reformulators.chat import ChatReformulator
from daitir.reformulators.templates import Templates

REPEATS = 3


Answers = dict[str, tuple[str, tuple[str, ...]]]


class Script:
    """A script that goes from dialogue to dialogue; ``together``: with the rounds of each in one batch."""

    def __init__(self, options: TransformersOptions, together: bool) -> None:
        self.options, self.together = options, together
        self.templates = Templates(options.query_template, options.prompt_template)
        self.tokenizer = AutoTokenizer.from_pretrained(options.model, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(options.model).to(options.device).eval()

    def answers(self, dialogues: list[Dialogue]) -> Answers:
        """Return query text and prompts of each query by its key."""
        found: Answers = {}
        for dialogue in dialogues:
            rounds, numbers = range(len(dialogue.turns)), range(1, self.options.prompts + 1)
            texts = self._ask([self.templates.query_message(dialogue, round_) for round_ in rounds])
            asked = [self.templates.prompt_message(text, k) for text in texts for k in numbers]
            prompts = iter(self._ask(asked))
            for round_, text in zip(rounds, texts, strict=True):
                found[query_key(dialogue.dialogue_id, round_)] = text, tuple(islice(prompts, len(numbers)))
        return found

    def _ask(self, messages: list[str]) -> list[str]:
        if self.together:
            return self._generate(messages)
        return [answer for message in messages for answer in self._generate([message])]

    @torch.inference_mode()
    def _generate(self, messages: list[str]) -> list[str]:
        chats = [[{"role": "user", "content": message}] for message in messages]
        texts = self.tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
        given = self.tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
        written = self.model.generate(
            **given.to(self.options.device), max_new_tokens=self.options.max_new_tokens, do_sample=False
        )
        answers = written[:, given.input_ids.shape[1] :]
        return [clean(text) for text in self.tokenizer.batch_decode(answers, skip_special_tokens=True)]


def measure(options: TransformersOptions, count: int, repeats: int = REPEATS) -> Iterator[Row]:
    """Yield the rows."""
    dialogues = make_dialogues(count)
    work = [(dialogue, list(range(len(dialogue.turns)))) for dialogue in dialogues]
    scripts = [Script(options, together) for together in (False, True)]
    answers, found = [Answers(), Answers()], list[Query]()

    def in_batches() -> None:
        found[:] = ChatReformulator(options, None).reformulate(work)

    def run(number: int) -> None:
        answers[number] = scripts[number].answers(dialogues)

    ours, *loops = in_turn(in_batches, lambda: run(0), lambda: run(1), repeats=repeats)
    ways = {"one text after the other": "at least 4", "a dialogue in two batches": ""}
    for (way, bound), loop, known in zip(ways.items(), loops, answers, strict=True):
        same = sum(known[query.key] == (query.query_text, query.prompts) for query in found)
        figures = f"{ours:.1f} s and {loop:.1f} s; {count} dialogues, {same} of {len(found)} queries the same"
        yield Row("reformulate", f"dialogue by dialogue, {way}", loop / ours, bound, figures)
    yield beginnings_row(options, work, found, repeats)


def beginnings_row(options: TransformersOptions, work: Work, known: list[Query], repeats: int) -> Row:
    """Return what it gains to read shared beginnings once; ``known`` are the queries that must come out."""
    read, found = [0, 0], list[Query]()

    def ask(reused: bool) -> None:
        reformulator = ChatReformulator(options, None)
        chat = reformulator.asker.model
        assert isinstance(chat, TransformersChat)
        chat.prefixes.reused = reused
        read[reused] = 0

        def count(_: torch.nn.Module, given: object, named: dict[str, torch.Tensor]) -> None:
            ids = named["input_ids"]
            read[reused] += ids.numel() if ids.shape[1] > 1 else 0

        chat.model.register_forward_pre_hook(count, with_kwargs=True)
        found[:] = reformulator.reformulate(work)

    whole, shared = in_turn(lambda: ask(False), lambda: ask(True), repeats=repeats)
    figures = (
        f"{shared:.1f} s and {whole:.1f} s; {read[True]:,} of {read[False]:,} tokens of messages read,"
        f" {sum(map(known.__contains__, found))} of {len(known)} queries the same"
    )
    return Row("reformulate", "reading every message whole", whole / shared, "at least 1", figures)


def main() -> None:
    """Time both."""
    parser = parser_of(__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--reformulator", default="llm", help="a name of the config")
    parser.add_argument("--dialogues", type=int, default=20)
    call = parser.parse_args()
    options = TransformersOptions.model_validate(
        component_of(call.config, "reformulators", call.reformulator)
    )
    torch.set_num_threads(1)
    tell(measure(options, call.dialogues), call.json)


if __name__ == "__main__":
    main()
