"""Cost against effect: seconds a query, of Snakemake's benchmark files, by Hits@k (DAR, section 5.4)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing, headline, lines_by_system
from daitir.benchmarks import seconds_in
from daitir.charts import Chart


def rows(subject: Subject) -> Iterator[dict[str, Any]]:
    """Rows (system, round, measure) with the seconds a query of each stage and of all of them.

    Wall seconds of the jobs of this dialogue set, divided by its queries: loading the models is part of them,
    the training of a fusion and the encoding of the corpus, which are done once, are not, nor is what was
    taken over from another dialogue set (its round 0) or published by others. Systems that were ranked
    together share the seconds of that equally. A system one of whose jobs left no benchmark file (its files
    came from elsewhere) has no row.
    """
    ranked = Counter(path for sources in subject.sources.values() for path in sources.seconds.get("rank", ()))
    for name, sources in subject.sources.items():
        paths = [path for files in sources.seconds.values() for path in files]
        if not paths or not all(path.is_file() for path in paths):
            continue
        frame = subject.ranks(name)
        seeds = frame["seed"].nunique()
        queries = len(frame) / seeds
        spent = {stage: sum(map(seconds_in, files)) / queries for stage, files in sources.seconds.items()}
        together = max((ranked[path] for path in sources.seconds.get("rank", ())), default=1)
        spent["rank"] = spent.get("rank", 0.0) / seeds / together  # one job ranks with all of them
        stages = ("reformulate", "generate", "encode", "rank")
        columns = {f"seconds_{stage}": spent.get(stage, 0.0) for stage in stages}
        yield from subject.measured(name, frame, seconds=sum(spent.values()), **columns)


def figure(table: pd.DataFrame, drawing: Drawing) -> Chart:
    """Hits@k at the last round by seconds a query; one point a system."""
    lines = lines_by_system(headline(table, drawing), drawing, "seconds")
    title = f"Hits@{drawing.k} at the last round by cost, {drawing.dialogues}"
    return Chart(title, "seconds a query", lines, per_cent=True)
