from pathlib import Path

from daitir.config import load_config, require_files
from daitir.errors import DaitirError
from daitir.fetch import BENCHMARKS
from daitir.garbage import look_seldom
from daitir.planning import Plan, jobs_use_this_python, one_of
from daitir.planning.resources import gigabytes, hours
from daitir.planning.snapshot import config_of_run
from daitir.provenance import code_revision
from daitir.roots import allow_links
from snakemake.exceptions import WorkflowError

look_seldom()
jobs_use_this_python(Path(workflow.basedir) / "src")

try:
    plan = Plan(load_config(config_of_run(config, starts_it=workflow.is_main_process)))
    require_files(plan.config)
except DaitirError as error:
    raise WorkflowError(str(error)) from None
layout = plan.layout
allow_links(plan.config.links)


wildcard_constraints:
    dialogues="[^/]+",
    corpus="[^/]+",
    reformulator="[^/]+",
    generator="[^/]+",
    encoder="[^/]+",
    fusion="[^/]+",
    system=one_of(plan.config.systems),
    oracle=one_of(plan.config.oracles),
    simulation="[^/]+",
    benchmark="[^/]+",
    shard=r"\d+-of-\d+",
    seed=r"\d+",


report: "../report/workflow.rst"


def in_report(path, caption, category, **labels):
    """Mark an output for `snakemake --report`."""
    return report(path, caption=f"../report/{caption}.rst", category=category, labels=labels)
