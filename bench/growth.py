"""How cost grows: ``python -m bench.growth FIGURE.svg`` draws four plots, each with its fitted exponent.

Ranking against candidates, training of ADaFuSE against dialogues, drawing against images, Snakemake's
planning against jobs; everything on one thread, the faster of two calls. The exponent is the slope of log
seconds over log size, so 1 is proportional; what does not grow, such as the start of a program, makes it
smaller. FIGURE.json gets the numbers, the machine and the date.
"""

import argparse
import datetime
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib
import torch
import yaml
from bench.common import ROOT, component_of, exponent, seconds
from bench.generation import make_orders
from bench.ranking import unit
from bench.training import EXPERTS, HIDDEN, PROJECTION, WIDTH, make_data
from bench.workflow import snakemake
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from tests.workflow.test_presets import placeholders

from daitir.charts import COLOURS, INK, PAPER
from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.options import TrainOptions
from daitir.fusions.training.trainer import Trainer
from daitir.generators import DiffusersOptions
from daitir.generators.diffusers import DiffusersGenerator
from daitir.machine import describe_machine
from daitir.plots import STYLE, svg_text
from daitir.scoring import rank_targets

Points = Iterator[tuple[int, float]]
CALLS = 2


def ranking(sizes: Sequence[int]) -> Points:
    """Yield candidates and the seconds of 1,024 queries among them."""
    query_QD = unit(1024, WIDTH)
    for size in sizes:
        corpus_ND, target_Q = unit(size, WIDTH), torch.randint(size, (len(query_QD),))
        yield size, seconds(lambda: rank_targets(query_QD, corpus_ND, target_Q), CALLS)  # noqa: B023


def training(sizes: Sequence[int]) -> Points:
    """Yield dialogues and the seconds of an epoch."""
    options = TrainOptions(dialogues="synthetic")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            network = Adafuse(WIDTH, PROJECTION, HIDDEN, EXPERTS, dropout=0.2)
            data, held_out = make_data(size), make_data(options.batch)
            epochs = Trainer(network, options, data, held_out, 0, Path(folder) / "state.pt").epochs()
            next(epochs)
            yield size, seconds(lambda: next(epochs), CALLS)  # noqa: B023


def drawing(sizes: Sequence[int]) -> Points:
    """Yield images and the seconds of drawing them, the loading of the model included."""
    options = DiffusersOptions.model_validate(component_of(ROOT / "config.yaml", "generators", "sd3"))
    for size in sizes:
        orders = make_orders(size, options.seed)
        assert len(orders) == size
        yield size, seconds(lambda: list(DiffusersGenerator(options).draw(orders)), CALLS)  # noqa: B023


def planning(shards: Sequence[int]) -> Points:
    """Yield jobs and the seconds of a dry run of config/paper-dar.yaml with more and more shards."""
    values = yaml.safe_load((ROOT / "config/paper-dar.yaml").read_text())
    for count in shards:
        for dialogues in values["dialogues"].values():
            dialogues["shards"] = count
        with tempfile.TemporaryDirectory() as name:
            folder, said = Path(name), ""
            placeholders(folder, values)
            own = folder / "own.yaml"
            own.write_text(yaml.safe_dump(values))

            def plan() -> None:
                nonlocal said
                said = snakemake(folder, "--dry-run", "--quiet", "rules", "--configfile", str(own))  # noqa: B023

            spent = seconds(plan, CALLS)
            yield jobs_in(said), spent


def jobs_in(said: str) -> int:
    """Return the number of jobs in Snakemake's table of them."""
    (line,) = {line for line in said.splitlines() if line.startswith("total")}
    return int(line.split()[1])


PLOTS: dict[str, tuple[str, Callable[[Sequence[int]], Points], Sequence[int]]] = {
    "ranking": ("candidates", ranking, (10_000, 31_623, 100_000, 316_228, 1_000_000)),
    "training": ("dialogues", training, (1024, 2048, 4096, 8192, 16_384)),
    "drawing": ("images", drawing, (8, 16, 32, 64, 128)),
    "planning": ("jobs", planning, (6, 12, 24, 48, 96)),
}


def draw(found: dict[str, list[tuple[int, float]]]) -> str:
    """Return the four plots as one SVG."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 6.2), facecolor=PAPER, layout="constrained")
        for axes, (name, points) in zip(figure.subplots(2, 2).flat, found.items(), strict=True):
            _panel(axes, name, points)
        return svg_text(figure)


def _panel(axes: Axes, name: str, points: list[tuple[int, float]]) -> None:
    sizes, costs = zip(*points, strict=True)
    axes.loglog(sizes, costs, "o-", color=COLOURS[1])
    axes.set_title(f"{name}: exponent {exponent(sizes, costs):.2f}", loc="left", color=INK)
    axes.set_xlabel(PLOTS[name][0])
    axes.set_ylabel("seconds")
    axes.grid(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(EngFormatter(sep=""))
        axis.set_minor_formatter(NullFormatter())


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", type=Path, help="where the figure goes, SVG")
    parser.add_argument("--only", choices=tuple(PLOTS), help="print one of them, draw nothing")
    call = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found: dict[str, list[tuple[int, float]]] = {}
    for name, (unit_, measure, sizes) in PLOTS.items():
        if call.only in {None, name}:
            found[name] = []
            for size, spent in measure(sizes):
                found[name].append((size, spent))
                print(f"{name}: {size:,} {unit_}, {spent:.2f} s", flush=True)
            print(f"{name}: exponent {exponent(*zip(*found[name], strict=True)):.2f}", flush=True)
    if call.only is None:
        call.figure.write_text(draw(found), encoding="utf-8")
        told = {"machine": describe_machine(), "date": str(datetime.date.today()), "seconds": found}
        call.figure.with_suffix(".json").write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
