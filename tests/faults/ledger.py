"""What was done to the pipeline on purpose, how often, and what came of it: docs/reliability.md.

A test that has injected a fault and seen what came of it says ``record(fault)``, or ``record(fault, times)``.
"""

from collections import Counter
from pathlib import Path

STAGES = (
    *("list_corpus", "import_dialogues", "simulate", "reformulate", "generate"),
    *("encode queries", "encode corpus", "encode pictures", "tune", "train", "plot_training"),
    *("rank", "rank_oracle", "measure", "analyse", "draw_analyses", "write_runs"),
    *("report", "summarise", "explore"),
)
LONG = {"reformulate": "batch", "generate": "batch", "simulate": "batch", "train": "epoch", "tune": "epoch"}
GOES_ON = "the next run goes on and ends with the same bytes"
ONE_LINE = f"one line says at which file, and what to do; nothing finished is lost; {GOES_ON}"
AGAIN = "Snakemake starts it again; the run ends with the same bytes"
RANKS = "the ranks are those of a run without a cluster, byte for byte"
REFUSED_OR_SAME = "refused by its name before it is used, or nothing that is read has changed"


def killed_writing(kind: str) -> str:
    """Return the fault of a stage killed while it writes."""
    return f"`{kind}` killed while it writes (`kill -9`)"


def killed_any_time(kind: str) -> str:
    """Return the fault of a long stage killed at a random moment."""
    return f"`{kind}` killed at a random moment (`kill -9`)"


FAULTS: dict[str, dict[str, str]] = {
    "Kills on one machine": {
        **{killed_writing(kind): f"no file that bears its name is unfinished; {GOES_ON}" for kind in STAGES},
        **{
            killed_any_time(kind): f"one {unit} at most is done again; {GOES_ON}"
            for kind, unit in LONG.items()
        },
        "a job of a run killed (`kill -9`)": AGAIN,
        "a job of a run killed with its shell and its log (`kill -9`)": AGAIN,
        "Snakemake and all its jobs killed (`kill -9`)": f"after `snakemake --unlock` {GOES_ON}",
    },
    "The machine": {
        "disk full": ONE_LINE,
        "results read-only": ONE_LINE,
        "results without permission to write": ONE_LINE,
        "clock set back by a day": ONE_LINE,
        "a job started twice at the same time": "both end well; they leave what one leaves, to the byte",
        "Snakemake started twice in one folder": "the second is refused; the first ends with the same bytes",
        "out of memory while drawing or encoding": "the batch is halved and noted; on the CPU the same bytes",
    },
    "On a cluster (SLURM)": {
        "a node dies with the job on it": f"SLURM starts the job again; {RANKS}",
        "a job is cancelled": f"Snakemake submits it again; {RANKS}",
        "a job over its memory": f"it is submitted again with more; {RANKS}",
        "a job over its time": f"it is submitted again with more; {RANKS}",
        "a job gives way to a more important one": f"it is queued again and goes on; {RANKS}",
        "the submitting Snakemake killed and started again": f"duplicates find the work done; {RANKS}",
    },
    "Damaged files": {
        "a file cut short or emptied": "refused by its name before it is used",
        "a flipped bit in a file": REFUSED_OR_SAME,
        "a block of zeros in a file": REFUSED_OR_SAME,
        "a file in the place of another component's": "refused: it says what it was made as",
        "a damaged model directory": "refused by its name before it is used",
        "features with a NaN": "refused by the key of the row",
    },
    "Input that is not what it seems": {
        "a malformed file, config or answer": "refused in one line, or read as what it is; never a traceback",
        "a path that leaves its folder": "refused by its name",
        "an image bomb": "refused, in little memory",
    },
}
OUTCOMES = {fault: outcome for faults in FAULTS.values() for fault, outcome in faults.items()}
COUNTS: Counter[str] = Counter()
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
TEXT = """# Reliability

Each fault below was injected on purpose by a test, and the run that wrote this page saw the outcome each
time. Write it anew with

```bash
pytest tests --reliability docs/reliability.md
```

Where a kill strikes, and how full a disk is, is drawn from seeds: the steps of writing are the same every
time, the moments hang on how fast the machine is. Tests that do not run leave their rows as they were. "The
same bytes": every file of the results folder equals that of a run that nobody disturbed, but for logs and,
after a run by Snakemake, for the report and the summary, which tell how long its jobs took.
"""


def record(fault: str, times: int = 1) -> None:
    """Note that a fault was injected so often, and that what came of it was as it should be."""
    assert fault in OUTCOMES, f"{fault!r} has no row: add it to FAULTS"
    assert times > 0, fault
    COUNTS[fault] += times


def write_page(path: Path) -> None:
    """Write the table; faults that nobody injected now keep their counts."""
    counts = (counts_of(path.read_text(encoding="utf-8")) if path.exists() else {}) | dict(COUNTS)
    parts = [TEXT]
    for title, faults in FAULTS.items():
        rows = [f"| {fault} | {counts[fault]:,} | {faults[fault]} |" for fault in faults if fault in counts]
        if rows:
            head = ["| fault | times | what happened |", "| --- | ---: | --- |"]
            parts.append("\n".join([f"## {title}", "", *head, *rows]) + "\n")
    path.write_text("\n".join(parts), encoding="utf-8")


def counts_of(page: str) -> dict[str, int]:
    """Return how often each fault was injected, as a page says."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {row[0]: int(row[1].replace(",", "")) for row in rows if row[0] in OUTCOMES}
