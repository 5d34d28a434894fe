"""The check as a page of text."""

from collections.abc import Callable, Sequence
from typing import Any

from daitir.preflight import Preflight
from daitir.preflight.estimates import Work
from daitir.preflight.findings import STATES, Finding
from daitir.preflight.table import count, gigabytes, hours, rows

SECTIONS = {"models": "Models", "data": "Data", "machine": "This machine"}
HEAD = ("asked for by", "what", "state", "about it")
NOTES = (
    "Items are upper bounds: equal messages are asked and equal pictures drawn once, and what an earlier",
    "run left is not made again; what is shared comes from another dialogue set's round 0. Hours are those",
    "of one device, at the rates (`per_second`) that the config says.",
)


def page(result: Preflight, title: str, whole: bool = False) -> str:
    """Return the tables: models, data, machine, work; ``whole`` has a line of work for each set of data."""
    lines = [f"Before a run of {title}"]
    for section, heading in SECTIONS.items():
        found = [finding for finding in result.findings if finding.section == section]
        if found:
            lines += ["", heading, *rows(HEAD, [_cells(finding) for finding in found])]
    lines += ["", "Work", *_totals(result.work), "", "Work of each component", *_work(result.work, whole)]
    return "\n".join([*lines, "", *NOTES, ""])


def _cells(finding: Finding) -> tuple[str, str, str, str]:
    return finding.key, finding.subject, STATES[finding.state], finding.detail


def _work(work: list[Work], whole: bool) -> list[str]:
    def kind(line: Work) -> tuple[str, ...]:
        return (line.stage, line.component, line.unit, line.of if whole else "")

    groups = {name: [line for line in work if kind(line) == name] for name in dict.fromkeys(map(kind, work))}
    body = [
        (
            stage,
            component,
            of if whole else count(len(lines)),
            _sum_of([line.items for line in lines], count),
            unit,
            count(sum(line.shared for line in lines)),
            *_hours_and_bytes(lines),
        )
        for (stage, component, unit, of), lines in groups.items()
    ]
    head = ("stage", "component", "of" if whole else "sets", "items", "", "shared", "hours", "GB")
    return rows(head, body, right=(3, 5, 6, 7) if whole else (2, 3, 5, 6, 7))


def _totals(work: list[Work]) -> list[str]:
    kinds = dict.fromkeys((line.stage, line.unit) for line in work)
    groups = {kind: [line for line in work if (line.stage, line.unit) == kind] for kind in kinds}
    body = [
        (stage, _sum_of([line.items for line in lines], count), unit, *_hours_and_bytes(lines))
        for (stage, unit), lines in groups.items()
    ]
    last = ("all", "", "", *_hours_and_bytes(work))
    return rows(("stage", "items", "", "hours", "GB"), [*body, last], right=(1, 3, 4))


def _hours_and_bytes(work: list[Work]) -> tuple[str, str]:
    rated = [line.hours for line in work if line.rated]
    is_known = any(known is not None for known in rated) or all(line.items is None for line in work)
    time = _sum_of(rated, hours) if is_known else "rate unknown"
    sizes = [line.size for line in work]
    return time if rated else "", _sum_of(sizes, gigabytes) if any(size != 0 for size in sizes) else ""


def _sum_of(numbers: Sequence[Any], write: Callable[[Any], str]) -> str:
    known = [number for number in numbers if number is not None]
    if not known:
        return "unknown"
    return write(sum(known)) + (" + unknown" if len(known) < len(numbers) else "")


def verdict(result: Preflight) -> str:
    """Return the last line: all is there, or what is missing."""
    if not result.missing:
        made = sum(finding.state in {"made", "download"} for finding in result.findings)
        later = f"; {made} of it is made or downloaded by the run itself" if made else ""
        return f"Nothing is missing{later}."
    named = dict.fromkeys(f"{finding.key} ({finding.subject.split('@')[0]})" for finding in result.missing)
    return f"Missing: {', '.join(named)}"
