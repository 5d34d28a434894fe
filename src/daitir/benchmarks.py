"""What Snakemake measured of a finished job: its seconds."""

from pathlib import Path

from daitir.errors import DaitirError


def seconds_in(file: Path) -> float:
    """Return the seconds that a benchmark file of Snakemake tells, of its last repetition."""
    try:
        head, *rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines() if line]
        return float(rows[-1][head.index("s")])
    except (OSError, ValueError, IndexError) as error:
        raise DaitirError(f"{file} is no benchmark file of Snakemake ({error}): remove it") from None
