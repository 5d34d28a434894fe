"""The check of results: every file whole, complete, of this config, and made from what lies there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daitir.planning import Plan
from daitir.planning.inventory import Inventory, Job
from daitir.progress import progress
from daitir.verify.complete import Completeness
from daitir.verify.findings import LEFT, WRONG, Finding, State
from daitir.verify.inputs import Inputs, options_differ
from daitir.verify.reading import Artefacts, reader_for
from daitir.verify.strays import strays

WHOLE, FAULTY, UNFINISHED = 0, 1, 3


@dataclass(frozen=True)
class Verdict:
    """What was found: the jobs of the config, how many of their files were read, and what is not right."""

    jobs: list[Job]
    files: int
    findings: list[Finding]

    def of(self, *states: State) -> list[Finding]:
        """Return the findings of some states."""
        return [finding for finding in self.findings if finding.state in states]

    @property
    def status(self) -> int:
        """The exit status: 0 all there and whole, 1 something is wrong, 3 whole as far as it is made."""
        if self.of(*WRONG):
            return FAULTY
        return UNFINISHED if self.of(*LEFT) else WHOLE


def verify(plan: Plan) -> Verdict:
    """Read every file that the jobs of a config make, and compare it with the others and with the config."""
    jobs = list(Inventory(plan).jobs())
    readers = {path: reader_for(job.rule, path) for job in jobs for path in job.outputs}
    artefacts = Artefacts(readers)
    checks = Checks(artefacts, Completeness(plan, artefacts), Inputs(plan, artefacts))
    findings = [
        finding
        for job in progress(jobs, "verify", len(jobs), "jobs")
        for output in job.outputs
        for finding in checks.of(job, output)
    ]
    named = {finding.path for finding in findings}
    findings += [  # files that no job makes: lists of corpora, weights and texts of others
        Finding("damaged", path, "", fault) for path, fault in artefacts.faults.items() if path not in named
    ]
    there = sum(Path(path).exists() for path in readers)
    if Path(plan.layout.results).is_dir():
        findings += strays(plan, jobs)
    return Verdict(jobs, there, findings)


@dataclass(frozen=True)
class Checks:
    """The checks of one file; one that cannot be read, or is made again anyway, is asked no more."""

    artefacts: Artefacts
    completeness: Completeness
    inputs: Inputs

    def of(self, job: Job, output: str) -> Iterator[Finding]:
        """Yield what is wrong with an output of a job."""
        known = self.artefacts.read(output)
        if output in self.artefacts.faults:
            yield Finding("damaged", output, job.rule, self.artefacts.faults[output])
        elif known is None:
            yield Finding("missing", output, job.rule)
        elif differences := options_differ(job, known):
            yield Finding("outdated", output, job.rule, differences)
        elif output == job.outputs[0]:
            if changed := self.inputs.changed(job, known):
                yield Finding("mixed", output, job.rule, f"not made from the {', '.join(changed)} of now")
            if fault := self.completeness.fault(job, known):
                yield Finding("incomplete", output, job.rule, fault)
