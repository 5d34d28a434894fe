"""Files below a results folder that are nobody's output: work of unfinished jobs, and what others left."""

from collections.abc import Collection, Iterator
from pathlib import Path

from daitir.planning import Plan
from daitir.planning.inventory import Job
from daitir.seals import seal_beside
from daitir.verify.findings import Finding

HALF = (".partial", ".lock")
KEPT = ("logs", "benchmarks", "README.md")  # of Snakemake and of people


def strays(plan: Plan, jobs: Collection[Job]) -> Iterator[Finding]:
    """Yield what lies in the results folder and is nobody's output; a folder stands for all in it."""
    results = Path(plan.layout.results)
    outputs = {Path(output) for job in jobs for output in job.outputs}
    known = outputs | {seal_beside(output) for output in outputs}
    scratch = {Path(plan.layout.scratch(*job.parts)): job.rule for job in jobs}
    folders = {parent for path in [*known, *scratch] for parent in path.parents}
    waiting = [results]
    while waiting:
        for path in sorted(waiting.pop(0).iterdir(), reverse=True):
            if path in known or path.relative_to(results).parts[0] in KEPT:
                continue
            if path.name.startswith(".") and path.name.endswith(HALF):
                yield Finding("leftover", str(path), "", "the next write takes its place")
            elif path in scratch:
                kept = sum(1 for file in path.rglob("*") if file.is_file())
                told = f"files in it: {kept}; the next run goes on from them"
                yield Finding("leftover", str(path), scratch[path], told)
            elif path in folders:
                waiting.append(path)
            else:
                yield Finding("stranger", str(path), "")
