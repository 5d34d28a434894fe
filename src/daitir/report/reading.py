"""Reads what the measures wrote: tables and figures, and the parts of a run that they tell of."""

import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from daitir.corpora import read_corpus
from daitir.dialogues import read_dialogues
from daitir.errors import DaitirError
from daitir.layout import Layout
from daitir.report.configured import Configured
from daitir.report.run import DialogueSet, Measured, Tables
from daitir.seals import read_sealed

HEADLINE = 10
TEXTS = (
    *("dialogues", "system", "baseline", "encoder"),
    *("claim", "kind", "than", "measure", "noisier", "test", "verdict"),
)


def read_runs(config: Configured, layout: Layout, order: tuple[str, ...]) -> Mapping[str, Measured]:
    """Return every evaluated dialogue set with the systems measured on it and their numbers."""
    tables = Tables(*(read_csv(Path(layout.table(name))) for name in Tables.__dataclass_fields__))
    return {name: _measured(config, layout, order, tables, name) for name in config.evaluate}


def _measured(
    config: Configured, layout: Layout, order: tuple[str, ...], tables: Tables, name: str
) -> Measured:
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


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table of the measures."""
    text = read_whole(path)
    names = dict.fromkeys(TEXTS, str)  # a system may be called 2024 or NA
    try:
        return pd.read_csv(io.StringIO(text), dtype=names, keep_default_na=False, na_values=[""])
    except ValueError as error:
        raise DaitirError(f"{path} is no table ({error}): remove it and run again") from None


def read_figure(path: Path) -> str:
    """Read a figure."""
    return read_whole(path)


def read_whole(path: Path) -> str:
    """Return the text of a file that the measures wrote, as they wrote it."""
    return read_sealed(path).decode()
