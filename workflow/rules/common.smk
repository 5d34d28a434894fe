import os
import sys
from pathlib import Path

from daitir.config import load_config
from daitir.errors import DaitirError
from daitir.planning import Plan
from daitir.provenance import code_revision
from snakemake.exceptions import WorkflowError

# Jobs run with the Python that runs Snakemake, whether or not its environment is activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

try:
    plan = Plan(load_config(config))
except DaitirError as error:
    raise WorkflowError(str(error)) from None
layout = plan.layout


wildcard_constraints:
    dialogues="[^/]+",
    corpus="[^/]+",
    reformulator="[^/]+",
    generator="[^/]+",
    encoder="[^/]+",
    fusion="[^/]+",
    system="[^/]+",
    shard=r"\d+-of-\d+",
    seed=r"\d+",
