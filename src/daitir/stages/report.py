"""Report: one HTML page that says what a run shows, from its tables, figures, ranks and pictures."""

import io
from pathlib import Path
from typing import Any

import pandas as pd

from daitir.command import parse_call, stage_parser
from daitir.corpora import read_corpus
from daitir.dialogues import read_dialogues
from daitir.errors import DaitirError, exit_with_one_line
from daitir.evaluation.rankings import FLIPS
from daitir.files import write_text
from daitir.layout import FIGURES, Layout
from daitir.options import Options
from daitir.ranks import read_ranks
from daitir.report.configured import Configured
from daitir.report.gallery import Gallery, focus, gather
from daitir.report.makers import who_made
from daitir.report.origins import cut_texts, seconds_by_stage, trainings
from daitir.report.page import Made, Section, render
from daitir.report.published import Comparison, compare_all
from daitir.report.run import DialogueSet, Measured, Tables

HEADLINE = 10


class ReportOptions(Options):
    """The config as run, and the order of its systems."""

    code: str
    config: dict[str, Any]
    order: tuple[str, ...]


def run(options: ReportOptions, results: Path, benchmarks: list[Path], output: Path) -> None:
    """Write the page of the evaluated dialogue sets."""
    config = Configured.model_validate(options.config)
    layout = Layout(str(results))
    tables = Tables(*(read_csv(Path(layout.table(name))) for name in Tables.__dataclass_fields__))
    runs = {name: measured(config, layout, options.order, tables, name) for name in config.evaluate}
    published = compare_all(config.report.expected, runs)
    sections = [section(config, layout, one, published) for one in runs.values()]
    made = Made(
        who_made(layout, list(runs.values()), config.published),
        trainings(layout, list(runs.values())),
        seconds_by_stage(benchmarks),
        options.config,
        config.report.resamples,
        FLIPS,
    )
    write_text(output, render(sections, published, made))


def measured(
    config: Configured, layout: Layout, order: tuple[str, ...], tables: Tables, name: str
) -> Measured:
    """Return one dialogue set with the systems measured on it and their numbers."""
    dialogues = config.dialogues[name]
    candidates = len(read_corpus(config.corpus_list(dialogues.corpus, layout)))
    size = len(read_dialogues(Path(layout.dialogues(name))))
    return Measured(
        DialogueSet(name, dialogues.corpus, size, candidates, dialogues.shards),
        config.systems_on(name, order),
        tables.of(name),
        HEADLINE if HEADLINE in config.report.hits else max(config.report.hits),
        config.report.rounds,
    )


def section(config: Configured, layout: Layout, run_of: Measured, published: list[Comparison]) -> Section:
    """Gather what the page says of one dialogue set."""
    name = run_of.dialogues.name
    figures = {figure: read_figure(Path(layout.figure(f"{figure}-{name}"))) for figure in FIGURES}
    own = [one for one in published if one.expected.dialogues == name]
    cut = cut_texts(layout, run_of)
    pair = focus(run_of)
    if pair is None or not config.report.examples:
        return Section(run_of, figures, own, None, [], cut)
    images = config.corpora[run_of.dialogues.corpus].images
    gallery = Gallery(layout, name, run_of.dialogues.shards, images)
    frames = {system.name: read_ranks(Path(layout.ranks(system.name, name))) for system in pair}
    examples = gather(gallery, pair, frames, config.report.examples)
    return Section(run_of, figures, own, pair, examples, cut)


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table of the measures."""
    text = read_whole(path, "\n")
    names = dict.fromkeys(("dialogues", "system", "baseline"), str)  # a system may be called 2024 or NA
    try:
        return pd.read_csv(io.StringIO(text), dtype=names, keep_default_na=False, na_values=[""])
    except ValueError as error:
        raise DaitirError(f"{path} is no table ({error}): remove it and run again") from None


def read_figure(path: Path) -> str:
    """Read a figure."""
    return read_whole(path, "</svg>\n")


def read_whole(path: Path, end: str) -> str:
    """Return the text of a file that the measures wrote; one without its end is cut short."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: run snakemake to make it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DaitirError(f"{path} cannot be read ({error}): remove it and run again") from None
    if not text.endswith(end):
        raise DaitirError(f"{path} is cut short: remove it and run again")
    return text


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
