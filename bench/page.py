"""All ratios in one go: ``python -m bench.page`` measures them and writes them into docs/performance.md.

Each measurement is a process of its own, one after the other; leave the machine alone meanwhile. With names
only those are measured, and the rows of the others stay.
"""

import argparse
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

from bench.common import Row

from daitir.files import write_text
from daitir.machine import describe_machine

PAGE = Path("docs/performance.md")
CALLS = {
    "ranking": ["bench.ranking"],
    "stores": ["bench.stores"],
    "training": ["bench.training"],
    "encoding": ["bench.encoding"],
    "generation": ["bench.generation"],
    "reformulation": ["bench.reformulation"],
    "noop": ["bench.workflow", "noop"],
    "share": ["bench.workflow", "share"],
}
HEAD = "| what | against | ratio | has to be | figures | repeat | machine, date |"


def measure(name: str) -> list[Row]:
    """Run one measurement and return its rows."""
    call = [sys.executable, "-m", *CALLS[name], "--json"]
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
    rows = [Row(**json.loads(line)) for line in done.stdout.splitlines()]
    for row in rows:
        print(row, flush=True)
    return rows


def table_of(name: str, rows: list[Row]) -> str:
    """Return the rows of a measurement, between marks that the next one finds again."""
    where = f"{describe_machine()}, {datetime.date.today()}"
    command = f"`python -m {' '.join(CALLS[name])}`"
    lines = []
    for row in rows:
        bound = (row.bound or "no bound") if row.holds else f"{row.bound} (not met)"
        cells = [row.what, row.against, f"**{row.ratio:.2f}**", bound, row.figures, command, where]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def renew(page: str, name: str, table: str) -> str:
    """Return the page with other rows for one measurement."""
    command = f"`python -m {' '.join(CALLS[name])}`"
    kept = [line for line in page.splitlines() if f"| {command} |" not in line]
    order = [f"`python -m {' '.join(call)}`" for call in CALLS.values()]
    place = kept.index(HEAD) + 2
    while place < len(kept) and kept[place].startswith("|"):
        found = re.search(r"`python -m [^`]*`", kept[place])
        if found and order.index(found[0]) > order.index(command):
            break
        place += 1
    return "\n".join([*kept[:place], table, *kept[place:]]) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *CALLS], help="only these")  # [] is none given
    for name in parser.parse_args().names or CALLS:
        table = table_of(name, measure(name))
        write_text(PAGE, renew(PAGE.read_text(encoding="utf-8"), name, table))


if __name__ == "__main__":
    main()
