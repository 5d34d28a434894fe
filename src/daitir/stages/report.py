"""Report: one HTML page that says what a run shows, from its tables, figures, ranks and pictures."""

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from daitir.command import parse_call, stage_parser
from daitir.corpora import read_corpus
from daitir.dialogues import read_dialogues
from daitir.errors import DaitirError, exit_with_one_line
from daitir.evaluation.rankings import FLIPS
from daitir.files import write_text
from daitir.layout import FIGURES, Layout
from daitir.options import Options
from daitir.ranks import read_ranks
from daitir.report.gallery import Gallery, focus, gather
from daitir.report.origins import cut_texts, origins, seconds_by_stage, trainings
from daitir.report.page import Made, Section, render
from daitir.report.run import DialogueSet, Measured, System, Tables

HEADLINE = 10


class _Part(BaseModel):
    """Part of the config that the page looks at; what else it holds was checked when it was loaded."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ConfiguredSystem(_Part):
    """A system of the config."""

    encoder: str
    queries: str
    images: str | None = None
    method: str
    baseline: str | None = None


class ConfiguredDialogues(_Part):
    """A dialogue set of the config."""

    corpus: str
    shards: int = 1


class ConfiguredCorpus(_Part):
    """A corpus of the config."""

    list: Path
    images: Path


class Settings(_Part):
    """What the config says of measures and page."""

    hits: tuple[int, ...]
    rounds: tuple[int, ...]
    examples: int
    resamples: int


class Configured(_Part):
    """The config, as far as the page needs it."""

    corpora: dict[str, ConfiguredCorpus]
    dialogues: dict[str, ConfiguredDialogues]
    systems: dict[str, ConfiguredSystem]
    evaluate: tuple[str, ...]
    report: Settings


class ReportOptions(Options):
    """The config as run, and the order of its systems."""

    code: str
    config: dict[str, Any]
    order: tuple[str, ...]


def run(options: ReportOptions, results: Path, benchmarks: list[Path], output: Path) -> None:
    """Write the page of the evaluated dialogue sets."""
    config = Configured.model_validate(options.config)
    layout = Layout(str(results))
    systems = {name: System(name, **dict(config.systems[name])) for name in options.order}
    tables = Tables(*(read_csv(Path(layout.table(name))) for name in Tables.__dataclass_fields__))
    sections = [section(config, layout, systems, tables, name) for name in config.evaluate]
    first = config.dialogues[config.evaluate[0]]
    made = Made(
        origins(layout, list(systems.values()), config.evaluate[0], first.corpus, first.shards),
        trainings(layout, list(systems.values()), config.evaluate[0]),
        seconds_by_stage(benchmarks),
        options.config,
        config.report.resamples,
        FLIPS,
    )
    write_text(output, render(sections, made))


def section(
    config: Configured, layout: Layout, systems: dict[str, System], tables: Tables, name: str
) -> Section:
    """Gather what the page says of one dialogue set."""
    dialogues = config.dialogues[name]
    corpus = config.corpora[dialogues.corpus]
    hits = config.report.hits
    size = len(read_dialogues(Path(layout.dialogues(name))))
    run_of = Measured(
        DialogueSet(name, dialogues.corpus, size, len(read_corpus(corpus.list))),
        systems,
        tables.of(name),
        HEADLINE if HEADLINE in hits else max(hits),
        config.report.rounds,
    )
    figures = {figure: read_figure(Path(layout.figure(f"{figure}-{name}"))) for figure in FIGURES}
    cut = cut_texts(layout, systems.values(), name)
    pair = focus(run_of)
    if pair is None or not config.report.examples:
        return Section(run_of, figures, None, [], cut)
    gallery = Gallery(layout, name, dialogues.shards, corpus.images)
    frames = {system.name: read_ranks(Path(layout.ranks(system.name, name))) for system in pair}
    examples = gather(gallery, pair, frames, config.report.examples)
    return Section(run_of, figures, pair, examples, cut)


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table of the measures."""
    if not path.exists():
        raise DaitirError(f"{path} does not exist: run snakemake to make it")
    names = dict.fromkeys(("dialogues", "system", "baseline"), str)  # a system may be called 2024 or NA
    return pd.read_csv(path, dtype=names, keep_default_na=False, na_values=[""])


def read_figure(path: Path) -> str:
    """Read a figure."""
    if not path.exists():
        raise DaitirError(f"{path} does not exist: run snakemake to make it")
    return path.read_text(encoding="utf-8")


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
