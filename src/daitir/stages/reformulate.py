"""Reformulate the dialogues of one shard: a query text and K prompts for each round."""

from pathlib import Path
from typing import Any

from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.dialogues import SCHEMA, Dialogue, read_dialogues
from daitir.errors import DaitirError, exit_with_one_line
from daitir.options import Options
from daitir.provenance import provenance
from daitir.queries import picks_shard, rounds_of, write_queries
from daitir.reformulators import ReformulatorOptions, load_reformulator
from daitir.scratch import scratch_for
from daitir.tables import read_table, table_digest

REVISION = 1


class Rounds(Options):
    """How many rounds a dialogue has, and how many of them are worked on (None: all)."""

    rounds: int = Field(ge=1)
    rounds_per_dialogue: int | None = Field(None, ge=1)


class ReformulateOptions(Options):
    """What decides the queries; ``digests`` stand for the model and the templates."""

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    reformulator: ReformulatorOptions
    rounds: Rounds


def run(
    options: ReformulateOptions,
    dialogues: Path,
    shard: str,
    scratch: Path,
    output: Path,
    record: dict[str, Any],
) -> None:
    """Write the queries of one shard, ``{s}-of-{n}``, of a dialogue set."""
    chosen = picks_shard([dialogue.dialogue_id for dialogue in read_dialogues(dialogues)], shard)
    work = [
        (dialogue, asked_rounds(dialogue, options.rounds, dialogues))
        for dialogue in read_dialogues(dialogues)
        if dialogue.dialogue_id in chosen
    ]
    inputs = {"dialogues": table_digest(read_table(dialogues, SCHEMA))}
    with scratch_for(scratch, record) as finished:
        queries = list(load_reformulator(options.reformulator, finished).reformulate(work))
        write_queries(output, queries, provenance("reformulate", record, inputs))


def asked_rounds(dialogue: Dialogue, rounds: Rounds, path: Path) -> list[int]:
    """Return the rounds of a dialogue that are worked on; a dialogue with fewer turns is refused."""
    if len(dialogue.turns) < rounds.rounds:
        raise DaitirError(
            f"{path}: dialogue {dialogue.dialogue_id!r} has {len(dialogue.turns)} turns for {rounds.rounds}"
            " rounds: lower `rounds:`"
        )
    return rounds_of(dialogue.dialogue_id, rounds.rounds, rounds.rounds_per_dialogue)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--dialogues", type=Path, required=True, help="dialogue set, Parquet")
    parser.add_argument("--shard", required=True, help="which shard: {s}-of-{n}, s from 0")
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder for finished answers; removed at the end"
    )
    parser.add_argument("--output", type=Path, required=True, help="queries, Parquet")
    call = parse_call(parser, ReformulateOptions)
    paths = call.arguments
    run(call.options, paths.dialogues, paths.shard, paths.scratch, paths.output, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
