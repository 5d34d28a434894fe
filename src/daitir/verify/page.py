"""The check of results as a page of text, and as JSON."""

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from daitir.preflight.table import count, rows
from daitir.verify import Verdict
from daitir.verify.findings import LEFT, MEANING, WRONG, Finding, State

SHARD = re.compile(r"(.*/)shard-(\d+)-of-(\d+)\.\w+")
LINES = 20
HEAD = ("rule", "files", "there", "whole", "wrong")


def page(verdict: Verdict, results: str, config: str, whole: bool = False) -> str:
    """Return the tables: what is there by rule, then what is not right.

    ``config`` are the arguments that name it to Snakemake; ``whole`` leaves no line out.
    """
    lines = [f"Results in {results}", "", *_totals(verdict)]
    for state, meaning in MEANING.items():
        found = verdict.of(state)
        if found:
            lines += ["", f"{state.capitalize()}: {meaning} ({count(len(found))})"]
            lines += [f"  {line}" for line in _some(_lines(state, found), whole)]
    return "\n".join([*lines, "", *advice(verdict, config), ""])


def _totals(verdict: Verdict) -> list[str]:
    wanted: dict[str, list[str]] = defaultdict(list)
    for job in verdict.jobs:
        wanted[job.rule] += job.outputs
    body = []
    absent = {finding.path for finding in verdict.of("missing")}
    wrong = {finding.path for finding in verdict.of(*WRONG, "outdated")}
    for rule, paths in wanted.items():
        there = [path for path in paths if path not in absent]
        bad = sum(path in wrong for path in there)
        body.append((rule, count(len(paths)), count(len(there)), count(len(there) - bad), count(bad)))
    return rows(HEAD, body, right=(1, 2, 3, 4))


def _lines(state: State, found: list[Finding]) -> list[str]:
    if state == "missing":
        return gaps(finding.path for finding in found)
    return [f"{one.path}: {_about(one)}" if one.detail else one.path for one in found]


def _about(finding: Finding) -> str:
    """Return what is wrong with a file, without its name and what to do: both stand beside it."""
    said = finding.detail.removeprefix(finding.path).lstrip(": ")
    return re.sub(r"[:;] remove [^:;]*$", "", said)


def _some(lines: list[str], whole: bool) -> list[str]:
    if whole or len(lines) <= LINES:
        return lines
    return [*lines[:LINES], f"... and {count(len(lines) - LINES)} more (--whole shows all)"]


def gaps(paths: Iterable[str]) -> list[str]:
    """Return a line a folder with the shards that it lacks, ``0, 3-7 of 40``, and one for each other file."""
    shards: dict[tuple[str, str], list[int]] = defaultdict(list)
    others = []
    for path in paths:
        if match := SHARD.fullmatch(path):
            shards[match[1], match[3]].append(int(match[2]))
        else:
            others.append(path)
    lines = [f"{folder}: shards {_ranges(lacking)} of {of}" for (folder, of), lacking in shards.items()]
    return [*lines, *others]


def _ranges(numbers: Sequence[int]) -> str:
    """Return whole numbers as people write them, ``0, 3-7``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def advice(verdict: Verdict, config: str) -> list[str]:
    """Return what to do: which paths to remove, and the command to run."""
    wrong = list(dict.fromkeys(finding.path for finding in verdict.of(*WRONG)))
    run = f"  snakemake --cores all {config}"
    if wrong:
        removed = [f"  rm -r {shlex.quote(path)}" for path in wrong]
        return [f"Wrong: {count(len(wrong))} files. Remove them and make them again:", *removed, run]
    if left := verdict.of(*LEFT):
        return [f"Whole as far as it is made; {count(len(left))} files are still to be made:", run]
    return [f"Whole: {count(verdict.files)} files, all that this config makes."]


def as_json(verdict: Verdict, results: str) -> str:
    """Return the findings for programs."""
    found = [asdict(finding) for finding in verdict.findings]
    told = {"results": results, "status": verdict.status, "files": verdict.files, "findings": found}
    return json.dumps(told, indent=2, ensure_ascii=False)
