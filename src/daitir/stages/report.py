"""Report: one HTML page that says what a run shows, from its tables, figures, ranks and pictures."""

from pathlib import Path
from typing import Any

from daitir.command import parse_call, stage_parser
from daitir.errors import exit_with_one_line
from daitir.evaluation.rankings import FLIPS
from daitir.layout import FIGURES, Layout
from daitir.options import Options
from daitir.ranks import read_ranks
from daitir.report.analyses import analyses_of
from daitir.report.answers import read_answers
from daitir.report.configured import Configured
from daitir.report.cut import cut_texts
from daitir.report.gallery import Gallery, focus, gather
from daitir.report.makers import who_made
from daitir.report.page import Made, Section, render
from daitir.report.published import Comparison, compare_all
from daitir.report.reading import read_figure, read_runs
from daitir.report.run import Measured
from daitir.report.times import times
from daitir.report.trained import Training, Tuning, trainings, tunings
from daitir.report.views import views_of
from daitir.seals import write_sealed


class ReportOptions(Options):
    """The config as run, the order of its systems and oracles, and which were ranked together."""

    code: str
    config: dict[str, Any]
    order: tuple[str, ...]
    together: tuple[tuple[str, ...], ...] = ()


def run(options: ReportOptions, results: Path, benchmarks: list[Path], output: Path) -> None:
    """Write the page of the evaluated dialogue sets."""
    config = Configured.model_validate(options.config)
    layout = Layout(str(results))
    runs = read_runs(config, layout, options.order)
    published = compare_all(config.report.expected, runs)
    sections = [section(config, layout, one, published) for one in runs.values()]
    fusions, encoders = trainings(layout, list(runs.values())), tunings(layout, list(runs.values()))
    made = Made(
        who_made(layout, list(runs.values()), config.published),
        fusions,
        encoders,
        training_figures(layout, fusions, encoders),
        times(layout, benchmarks, options.together),
        options.config,
        config.report.resamples,
        FLIPS,
    )
    write_sealed(output, render(sections, published, read_answers(config, layout), made))


def training_figures(layout: Layout, fusions: list[Training], encoders: list[Tuning]) -> dict[str, str]:
    """Return the figures of how the trainings went, by what was trained."""
    names = {one.system: f"training-{one.system}" for one in fusions}
    names |= {one.encoder: f"tuning-{one.encoder}" for one in encoders}
    return {trained: read_figure(Path(layout.figure(name))) for trained, name in names.items()}


def section(config: Configured, layout: Layout, run_of: Measured, published: list[Comparison]) -> Section:
    """Gather what the page says of one dialogue set."""
    name = run_of.dialogues.name
    figures = {figure: read_figure(Path(layout.figure(f"{figure}-{name}"))) for figure in FIGURES}
    own = [one for one in published if one.expected.dialogues == name]
    cut, views = cut_texts(layout, run_of), views_of(layout, run_of)
    analyses = analyses_of(layout, run_of, config.report.analyses)
    pair = focus(run_of)
    if pair is None or not config.report.examples:
        return Section(run_of, figures, own, None, [], cut, views, analyses)
    images = config.corpora[run_of.dialogues.corpus].images
    gallery = Gallery(layout, name, run_of.dialogues.shards, images)
    frames = {system.name: read_ranks(Path(layout.ranks(system.name, name))) for system in pair}
    examples = gather(gallery, pair, frames, config.report.examples)
    return Section(run_of, figures, own, pair, examples, cut, views, analyses)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of results to report on")
    parser.add_argument(
        "--benchmarks", type=Path, nargs="*", default=[], help="benchmark files of Snakemake, or their folder"
    )
    parser.add_argument("--output", type=Path, required=True, help="page, HTML")
    call = parse_call(parser, ReportOptions)
    paths = call.arguments
    run(call.options, paths.results, paths.benchmarks, paths.output)


if __name__ == "__main__":
    exit_with_one_line(main)
