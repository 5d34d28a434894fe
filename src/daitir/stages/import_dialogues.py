"""Import a dialogue set: read its file, check every dialogue against its corpus, write Parquet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.corpora import read_corpus
from daitir.dialogues import SCHEMA, Dialogue, read_dialogues, some_of, write_dialogues
from daitir.errors import DaitirError, exit_with_one_line
from daitir.fetch import require_published
from daitir.options import Options
from daitir.provenance import provenance
from daitir.readers import READERS
from daitir.readers.targets import resolve
from daitir.seals import require_whole
from daitir.tables import read_table, table_digest


class ImportOptions(Options):
    """Format of the file, the rounds that every dialogue must have, and how many dialogues to take."""

    code: str
    format: Literal["chatir", "list", "visdial", "jsonl"]
    rounds: int = Field(ge=1)
    limit: int | None = Field(None, ge=1)


def run(
    options: ImportOptions,
    file: Path,
    corpus: Path,
    output: Path,
    record: dict[str, Any],
    round_0: Sequence[Path] = (),
) -> None:
    """Write the dialogues of ``file``; one that does not fit the corpus or the rounds stops the import.

    With ``round_0``, another dialogue set, each must open as the dialogue of the same id does there; it is a
    list, for the workflow's sake, and may be empty.
    """
    for source in (file, corpus):
        require_published(source)
        require_whole(source)
    reader = READERS[options.format]
    taken = some_of(reader.read(file), options.limit, file)
    dialogues = resolve(taken, reader.finder(read_corpus(corpus)), file, corpus)
    require_rounds(dialogues, options.rounds, file)
    inputs = {}
    for other in round_0:
        require_round_0(dialogues, other, file)
        inputs["round_0"] = table_digest(read_table(other, SCHEMA))
    write_dialogues(output, dialogues, provenance("import_dialogues", record, inputs))


def require_rounds(dialogues: list[Dialogue], rounds: int, file: Path) -> None:
    """Refuse dialogues with fewer turns than rounds are asked for."""
    short = [dialogue for dialogue in dialogues if len(dialogue.turns) < rounds]
    if short:
        raise DaitirError(
            f"{file}: {len(short)} of {len(dialogues)} dialogues are too short, the first is"
            f" {short[0].dialogue_id!r} with {len(short[0].turns)} turns for {rounds} rounds: lower `rounds:`"
        )


def require_round_0(dialogues: list[Dialogue], other: Path, file: Path) -> None:
    """Refuse dialogues whose target or caption is not that of the dialogue of the same id in ``other``."""
    opened = {
        dialogue.dialogue_id: (dialogue.target, dialogue.turns[0]) for dialogue in read_dialogues(other)
    }
    unlike = [
        dialogue
        for dialogue in dialogues
        if opened.get(dialogue.dialogue_id) != (dialogue.target, dialogue.turns[0])
    ]
    if unlike:
        name = unlike[0].dialogue_id
        how = "it has another target or caption there" if name in opened else "it is not there"
        raise DaitirError(
            f"{file}: {len(unlike)} of {len(dialogues)} dialogues do not open as in {other}, the first is"
            f" {name!r} ({how}): remove `round_0_from:` or name another dialogue set"
        )


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--file", type=Path, required=True, help="dialogue file")
    parser.add_argument("--corpus", type=Path, required=True, help="JSON list of the corpus")
    parser.add_argument(
        "--round-0",
        type=Path,
        nargs="*",
        default=[],
        help="dialogue set whose round 0 this one shares, Parquet",
    )
    parser.add_argument("--output", type=Path, required=True, help="dialogue set, Parquet")
    call = parse_call(parser, ImportOptions)
    paths = call.arguments
    run(call.options, paths.file, paths.corpus, paths.output, call.record, paths.round_0)


if __name__ == "__main__":
    exit_with_one_line(main)
