"""What Snakemake itself costs: ``python -m bench.workflow noop`` and ``python -m bench.workflow share``.

``noop``: config/paper-dar.yaml (four benchmarks, 11 rounds, 24 shards a set) with every output there, empty,
and known to Snakemake as finished: how long does a run take that finds nothing to do?

``share``: a config is run in a folder of its own, on two cores; mini's pictures are made there too. Each
job's seconds are those of Snakemake's benchmark files; each Python tells how long it lived between its start
and its end, and how long its imports took. What is no stage work: the seconds of Snakemake's own process, of
each job what is not its Python's life (shells, the start, the end), and imports. A core that has nothing to
do spends nothing. Told along: how long the run took, and the most memory that all its processes had at once,
looked at five times a second; what two of them share counts twice.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import yaml
from bench.common import ROOT, WORLD, Row, parser_of, seconds, tell
from tests.workflow.test_presets import placeholders

from daitir.benchmarks import seconds_in
from daitir.config import load_config
from daitir.planning import Plan
from daitir.planning.inventory import Inventory

IMPORTED = re.compile(r"^import time:\s+(\d+) \|", re.MULTILINE)
LIVED = re.compile(r"^lived: (\S+)$", re.MULTILINE)
MICROSECONDS = 1e6
SITE = """
import atexit, sys, time

if "".join(sys.orig_argv[1:3]).startswith("-mdaitir."):
    begin = time.perf_counter()
    atexit.register(lambda: print(f"lived: {time.perf_counter() - begin}", file=sys.stderr))
"""  # is run before all else that a Python does, and its last function after all else


def call_of(folder: Path, *arguments: str) -> list[str]:
    """Return the command that runs the workflow in a folder."""
    call = [str(Path(sys.executable).with_name("snakemake")), "--snakefile", str(ROOT / "Snakefile")]
    return [*call, "--directory", str(folder), "--cores", "2", *arguments]


def snakemake(folder: Path, *arguments: str) -> str:
    """Run the workflow in a folder and return what it said."""
    call = call_of(folder, *arguments)
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(call)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def measure_noop(config: Path) -> Iterator[Row]:
    """Yield the row of a run with nothing to do."""
    values = yaml.safe_load(config.read_text())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        placeholders(folder, values)
        os.chdir(folder)
        jobs = list(Inventory(Plan(load_config(values))).jobs())
        for job in jobs:
            for output in job.outputs:
                Path(output).parent.mkdir(parents=True, exist_ok=True)
                Path(output).touch()
        given = ["--configfile", str(config)]
        snakemake(folder, *given, "--touch", "--quiet", "all")
        said = ""

        def run() -> None:
            nonlocal said
            said = snakemake(folder, *given)

        spent = seconds(run, repeats=3)
        os.chdir(ROOT)
    if "Nothing to be done" not in said:
        raise SystemExit(f"there was something to do:\n{said[:3000]}")
    figures = f"{len(jobs):,} jobs of {config.name}"
    yield Row("a run with nothing to do, seconds", "15 s", spent, "at most 15", figures)


def measure_share(config: Path, folder: Path | None) -> Iterator[Row]:
    """Yield the row of a whole run."""
    with tempfile.TemporaryDirectory() as name:
        place = folder or Path(name)
        place_inputs(place)
        start = time.perf_counter()
        own, memory = watch_snakemake(place, "--configfile", str(config))
        wall = time.perf_counter() - start
        results = place / yaml.safe_load(config.read_text())["results"]
        jobs = [seconds_in(path) for path in (results / "benchmarks").rglob("*.tsv")]
        logs = [path.read_text(errors="replace") for path in (results / "logs").rglob("*.log")]
    lives = [float(lived) for log in logs for lived in LIVED.findall(log)]
    if len(lives) != len(jobs):
        raise SystemExit(f"{len(jobs)} jobs, but {len(lives)} told how long they lived")
    ends = sum(jobs) - sum(lives)
    imports = sum(int(spent) for log in logs for spent in IMPORTED.findall(log)) / MICROSECONDS
    share = (own + ends + imports) / (own + sum(jobs))
    figures = (
        f"{len(jobs)} jobs of {sum(jobs):.0f} seconds, {imports:.0f} of them imports, {ends:.0f} start and"
        f" end; Snakemake itself {own:.0f} of the processor; {config.name}"
    )
    yield Row("share of a run that is no stage work", "seconds of all jobs", share, "at most 0.15", figures)
    run = f"{config.name}, two cores"
    yield Row("a whole run, seconds", "8 minutes", wall, "at most 480", run)
    yield Row("memory of a whole run, GiB", "4 GB", memory / 2**30, "at most 3.72", run)


def place_inputs(folder: Path) -> None:
    """Link what a run needs into its folder, but not mini's pictures, which it makes."""
    (folder / "resources").mkdir(parents=True)
    for path in [ROOT / "config", *(ROOT / "resources").iterdir()]:
        if path != ROOT / WORLD:
            (folder / path.relative_to(ROOT)).symlink_to(path)


def watch_snakemake(folder: Path, *arguments: str) -> tuple[float, int]:
    """Run the workflow in a folder; return the processor's seconds of Snakemake itself and the run's memory.

    Those seconds are without its jobs'; the memory, in bytes, is the most that all processes had at once.
    """
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(SITE)
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1", "PYTHONPATH": str(folder / "site")}
    with (folder / "said.log").open("w") as said:
        process = psutil.Popen(call_of(folder, *arguments), env=environment, stdout=said, stderr=said)
        own, memory = 0.0, 0
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                spent = process.cpu_times()
                own = max(own, spent.user + spent.system)
                memory = max(memory, sum(map(_bytes_of, [process, *process.children(recursive=True)])))
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}: {folder / 'said.log'} says why")
    return own, memory


def _bytes_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    """Time it."""
    parser = parser_of(__doc__)
    parser.add_argument("what", choices=("noop", "share"))
    parser.add_argument("--config", type=lambda name: Path(name).resolve(), help="a preset")
    parser.add_argument("--folder", type=Path, help="share: run there, and leave the results")
    call: argparse.Namespace = parser.parse_args()
    if call.what == "noop":
        tell(measure_noop(call.config or ROOT / "config/paper-dar.yaml"), call.json)
    else:
        tell(measure_share(call.config or ROOT / "config.yaml", call.folder), call.json)


if __name__ == "__main__":
    main()
