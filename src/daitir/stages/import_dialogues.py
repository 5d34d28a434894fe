"""Import a dialogue set: read its file, check every dialogue against its corpus, write Parquet."""

from pathlib import Path

from daitir.command import parse_call, stage_parser
from daitir.corpora import read_corpus
from daitir.dialogues import READERS, Dialogue, write_dialogues
from daitir.errors import DaitirError, exit_with_one_line
from daitir.files import digest_text
from daitir.options import Options
from daitir.provenance import provenance


class ImportOptions(Options):
    """Format of the file, the rounds that every dialogue must have, and how many dialogues to take."""

    code: str
    format: str
    rounds: int
    limit: int | None = None


def run(options: ImportOptions, file: Path, corpus: Path, output: Path, record: dict[str, object]) -> None:
    """Write the dialogues of ``file``; one that does not fit the corpus or the rounds stops the import."""
    dialogues = READERS[options.format](file)
    candidates = set(read_corpus(corpus))
    require_targets(dialogues, candidates, file, corpus)
    require_rounds(dialogues, options.rounds, file)
    write_dialogues(output, some_of(dialogues, options.limit, file), provenance("import_dialogues", record))


def some_of(dialogues: list[Dialogue], limit: int | None, file: Path) -> list[Dialogue]:
    """Return all dialogues, or ``limit`` of them, drawn by name: a larger limit keeps the smaller."""
    if limit is None:
        return dialogues
    if limit > len(dialogues):
        raise DaitirError(f"{file} has {len(dialogues)} dialogues, fewer than `limit: {limit}`: lower it")
    drawn = sorted(dialogues, key=lambda dialogue: digest_text("limit", dialogue.dialogue_id))[:limit]
    return sorted(drawn, key=lambda dialogue: dialogue.dialogue_id)


def require_targets(dialogues: list[Dialogue], candidates: set[str], file: Path, corpus: Path) -> None:
    """Refuse dialogues that look for an image outside the corpus."""
    outside = [dialogue for dialogue in dialogues if dialogue.target not in candidates]
    if outside:
        raise DaitirError(
            f"{file}: {len(outside)} of {len(dialogues)} targets are not in {corpus}, the first is"
            f" {outside[0].target!r} of dialogue {outside[0].dialogue_id!r}: add it or remove the dialogue"
        )


def require_rounds(dialogues: list[Dialogue], rounds: int, file: Path) -> None:
    """Refuse dialogues with fewer turns than rounds are asked for."""
    short = [dialogue for dialogue in dialogues if len(dialogue.turns) < rounds]
    if short:
        raise DaitirError(
            f"{file}: {len(short)} of {len(dialogues)} dialogues are too short, the first is"
            f" {short[0].dialogue_id!r} with {len(short[0].turns)} turns for {rounds} rounds: lower `rounds:`"
        )


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--file", type=Path, required=True, help="dialogue file")
    parser.add_argument("--corpus", type=Path, required=True, help="JSON list of the corpus")
    parser.add_argument("--output", type=Path, required=True, help="dialogue set, Parquet")
    call = parse_call(parser, ImportOptions)
    paths = call.arguments
    run(call.options, paths.file, paths.corpus, paths.output, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
