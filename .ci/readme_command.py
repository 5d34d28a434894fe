"""Print the one-line command under a heading of the README: what is documented is what runs."""

import re
import sys
from pathlib import Path


def command_under(heading: str, text: str) -> str:
    """Return the single line of the first bash block under ``heading``."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE)
    block = section and re.search(r"^```bash\n([^\n]+)\n```", section[1], re.MULTILINE)
    if not block:
        sys.exit(f"README.md: no bash block of one line under {heading!r}")
    return block[1]


if __name__ == "__main__":
    print(command_under(sys.argv[2], Path(sys.argv[1]).read_text(encoding="utf-8")))
