"""What a config names and a run does not need: its absence is told and stops nobody."""

from collections.abc import Iterator
from dataclasses import replace

from daitir.config import Config
from daitir.config.missing import missing_files
from daitir.layout import Layout
from daitir.planning.jobs import Jobs
from daitir.preflight.findings import Finding


def without_unused(config: Config, findings: list[Finding]) -> list[Finding]:
    """Return the findings; what is missing for data and simulations that no system uses becomes a note.

    What Snakemake refuses before any job, a template or a model folder that is not there, stays missing.
    """
    unused = tuple(_unused(config))
    refused = [fault.split(": ")[0] for fault in missing_files(config)]
    return [
        replace(finding, state="note", detail=f"this run does not need it; {finding.detail}")
        if finding.is_missing
        and finding.key.startswith(unused)
        and not any(key.startswith(finding.key) for key in refused)
        else finding
        for finding in findings
    ]


def _unused(config: Config) -> Iterator[str]:
    jobs, layout = Jobs(config), Layout(str(config.results))
    used = {texts.dialogues for texts in jobs.texts}
    used |= {shared for name in used if (shared := config.dialogues[name].round_0_from) is not None}
    corpora = {config.dialogues[name].corpus for name in used}
    read = {str(config.dialogues[name].file) for name in used}
    for name, simulation in config.simulations.items():
        if layout.simulated(name) in read:
            corpora.add(simulation.corpus)
        else:
            yield f"simulations.{name}."
    yield from (f"dialogues.{name}." for name in config.dialogues if name not in used)
    yield from (f"corpora.{name}." for name in config.corpora if name not in corpora)
