"""Reformulation in batches against one dialogue at a time: ``python -m bench.reformulation``.

The reformulate stage's chat model and asking, for query texts and prompts of whole dialogues; the other side
asks the model's own ``generate`` for one text after the other, as a script does. The answers must agree. Then
against the same stage reading every message from its first token, beginnings shared with others included.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from bench.common import Row, component_of, in_turn, make_dialogues, parser_of, tell
from transformers import AutoModelForCausalLM, AutoTokenizer

from daitir.chat.answers import clean
from daitir.chat.transformers import TransformersChat
from daitir.dialogues import Dialogue
from daitir.queries import Query
from daitir.reformulators import TransformersOptions, Work
from daitir.reformulators.chat import ChatReformulator
from daitir.reformulators.templates import Templates

REPEATS = 3


class OneByOne:
    """A script that asks for one text after the other."""

    def __init__(self, options: TransformersOptions) -> None:
        self.options = options
        self.templates = Templates(options.query_template, options.prompt_template)
        self.tokenizer = AutoTokenizer.from_pretrained(options.model)
        self.model = AutoModelForCausalLM.from_pretrained(options.model).to(options.device).eval()

    @torch.inference_mode()
    def ask(self, message: str) -> str:
        """Return the answer to a message."""
        chat = [{"role": "user", "content": message}]
        text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        given = self.tokenizer(text, add_special_tokens=False, return_tensors="pt").to(self.options.device)
        written = self.model.generate(
            **given, max_new_tokens=self.options.max_new_tokens, do_sample=False, pad_token_id=0
        )
        return clean(self.tokenizer.decode(written[0, given.input_ids.shape[1] :], skip_special_tokens=True))

    def queries(self, dialogues: list[Dialogue]) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Return query text and prompts of each query by its key."""
        found = {}
        for dialogue in dialogues:
            for round_ in range(len(dialogue.turns)):
                text = self.ask(self.templates.query_message(dialogue, round_))
                prompts = [
                    self.ask(self.templates.prompt_message(text, k))
                    for k in range(1, self.options.prompts + 1)
                ]
                found[f"{dialogue.dialogue_id}_r{round_}"] = text, tuple(prompts)
        return found


def measure(options: TransformersOptions, count: int) -> Iterator[Row]:
    """Yield the rows."""
    dialogues = make_dialogues(count)
    work = [(dialogue, list(range(len(dialogue.turns)))) for dialogue in dialogues]
    naive, known, found = OneByOne(options), dict[str, tuple[str, tuple[str, ...]]](), list[Query]()

    def one_by_one() -> None:
        known.update(naive.queries(dialogues))

    def in_batches() -> None:
        found[:] = ChatReformulator(options, None).reformulate(work)

    ours, loop = in_turn(in_batches, one_by_one, repeats=1)
    same = sum(known[query.key] == (query.query_text, query.prompts) for query in found)
    figures = f"{ours:.1f} s and {loop:.1f} s; {count} dialogues, {same} of {len(found)} queries the same"
    yield Row("reformulate", "one dialogue at a time", loop / ours, "at least 4", figures)
    yield beginnings_row(options, work, found)


def beginnings_row(options: TransformersOptions, work: Work, known: list[Query]) -> Row:
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

    whole, shared = in_turn(lambda: ask(False), lambda: ask(True), repeats=REPEATS)
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
