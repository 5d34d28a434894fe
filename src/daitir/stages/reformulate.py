"""Reformulate the dialogues of one shard: a query text and K prompts for each round."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.dialogues import SCHEMA, Dialogue, read_dialogues
from daitir.errors import DaitirError, exit_with_one_line
from daitir.files import digest_bytes
from daitir.options import Options
from daitir.provenance import made_by_these_versions, provenance, require_same
from daitir.queries import Query, picks_shard, query_key, read_queries, rounds_of, write_queries
from daitir.reformulators import ReformulatorOptions, Work, load_reformulator
from daitir.scratch import scratch_for
from daitir.tables import read_table, table_digest, table_provenance

REVISION = 3


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
    known: Sequence[Path] = (),
    released: Sequence[Path] = (),
) -> None:
    """Write the queries of one shard, ``{s}-of-{n}``, of a dialogue set.

    ``known`` are queries of another set with the same captions: round 0 is taken from there. ``released``
    holds the file of published queries, for that kind of reformulator.
    """
    published = published_file(options, known, released)
    everyone = read_dialogues(dialogues)
    chosen = picks_shard([dialogue.dialogue_id for dialogue in everyone], shard)
    if not chosen:
        raise DaitirError(
            f"{dialogues} has {len(everyone)} dialogues, none for shard {shard}: lower `shards:`"
        )
    work = [
        (dialogue, asked_rounds(dialogue, options.rounds, dialogues))
        for dialogue in everyone
        if dialogue.dialogue_id in chosen
    ]
    taken, left = take_known(work, known_queries(known, record, output))
    inputs = {"dialogues": table_digest(read_table(dialogues, SCHEMA))}
    if published is not None:
        inputs["released"] = digest_bytes([published.read_bytes()])
    with scratch_for(scratch, record) as finished:
        queries = list(taken)
        if left:
            reformulator = load_reformulator(options.reformulator, finished, published, everyone)
            queries += reformulator.reformulate(left)
        write_queries(output, queries, provenance("reformulate", record, inputs))


def published_file(
    options: ReformulateOptions, known: Sequence[Path], released: Sequence[Path]
) -> Path | None:
    """Return the file of published queries, None for another kind; files that would lie idle are refused."""
    kind = options.reformulator.kind
    if kind != "released":
        if released:
            raise DaitirError(f"--released {released[0]}: the kind {kind!r} reads no published queries")
        return None
    if known:
        raise DaitirError(f"--known {known[0]}: published queries all stand in a file of their own set")
    if len(released) != 1:
        raise DaitirError(f"--released names {len(released)} files of published queries: name one")
    if not released[0].is_file():
        raise DaitirError(f"there is no file {released[0]} of published queries: mend `files:` in the config")
    return released[0]


def known_queries(paths: Sequence[Path], record: dict[str, Any], output: Path) -> dict[str, Query]:
    """Return the round-0 queries of another dialogue set by key.

    Queries made with other options are a mix and refused; those of other library versions are left alone.
    """
    made = {path: table_provenance(path) for path in paths}
    options = {str(path): found["options"] for path, found in made.items()} | {str(output): record}
    # Which rounds a set has changes none of their queries.
    require_same(
        "the reformulation",
        {
            path: {key: value for key, value in of_path.items() if key != "rounds"}
            for path, of_path in options.items()
        },
    )
    taken = [path for path in paths if made_by_these_versions(path, made[path])]
    return {query.key: query for query in read_queries(*taken) if query.round == 0}


def take_known(work: Work, known: dict[str, Query]) -> tuple[list[Query], Work]:
    """Return the queries of the work that are known, and the work that is left."""
    keys = [query_key(dialogue.dialogue_id, round_) for dialogue, rounds in work for round_ in rounds]
    left = [
        (dialogue, [round_ for round_ in rounds if query_key(dialogue.dialogue_id, round_) not in known])
        for dialogue, rounds in work
    ]
    return [known[key] for key in keys if key in known], [(d, rounds) for d, rounds in left if rounds]


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
    # Lists, for the workflow's sake: both may be empty.
    parser.add_argument(
        "--known", type=Path, nargs="*", default=[], help="queries of another set with the same round 0"
    )
    parser.add_argument(
        "--released", type=Path, nargs="*", default=[], help="file of published queries, for that kind alone"
    )
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder for finished answers; removed at the end"
    )
    parser.add_argument("--output", type=Path, required=True, help="queries, Parquet")
    call = parse_call(parser, ReformulateOptions)
    paths = call.arguments
    run(
        call.options,
        paths.dialogues,
        paths.shard,
        paths.scratch,
        paths.output,
        call.record,
        paths.known,
        paths.released,
    )


if __name__ == "__main__":
    exit_with_one_line(main)
