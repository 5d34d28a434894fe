"""Where everything lies: one function a kind of file, for the workflow, the report and people alike.

Arguments may be names or Snakemake wildcards such as ``"{dialogues}"``.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLES = ("by_round", "by_seed", "summary", "degradation", "comparisons", "gates", "claims")
FIGURES = ("hits", "degradation", "gate")


@dataclass(frozen=True)
class Layout:
    """Paths under one results folder."""

    results: str

    def dialogues(self, dialogues: str) -> str:
        """Dialogue set as Parquet."""
        return f"{self.results}/dialogues/{dialogues}.parquet"

    def corpus_list(self, corpus: str) -> str:
        """List of all images of a corpus for which the config names no list."""
        return f"{self.results}/corpora/{corpus}.json"

    def simulated(self, simulation: str) -> str:
        """Simulated dialogues, JSON Lines."""
        return f"{self.results}/simulated/{simulation}.jsonl"

    def simulated_provenance(self, simulation: str) -> str:
        """Who simulated the dialogues: JSON Lines have no header."""
        return f"{self.results}/simulated/{simulation}.provenance.json"

    def queries(self, reformulator: str, dialogues: str, shard: str) -> str:
        """Query texts and prompts of one shard, ``{s}-of-{n}``."""
        return f"{self.results}/queries/{reformulator}/{dialogues}/shard-{shard}.parquet"

    def images(self, generator: str, reformulator: str, dialogues: str, shard: str) -> str:
        """Tar with the generated images of one shard, all its rounds."""
        return f"{self.results}/images/{generator}/{reformulator}/{dialogues}/shard-{shard}.tar"

    def corpus_features(self, encoder: str, corpus: str) -> str:
        """Features of the candidates."""
        return f"{self.results}/features/{encoder}/corpora/{corpus}.h5"

    def query_features(self, encoder: str, reformulator: str, dialogues: str) -> str:
        """Features of the query texts."""
        return f"{self.results}/features/{encoder}/queries/{reformulator}/{dialogues}.h5"

    def image_features(
        self, encoder: str, generator: str, reformulator: str, dialogues: str, shard: str
    ) -> str:
        """Features of the generated images of one shard."""
        folder = f"{self.results}/features/{encoder}/images/{generator}/{reformulator}/{dialogues}"
        return f"{folder}/shard-{shard}.h5"

    def fusion(self, fusion: str, encoder: str, generator: str, reformulator: str, seed: int | str) -> str:
        """Folder of one trained fusion: weights and ``history.parquet``."""
        return f"{self.results}/fusions/{fusion}/{encoder}/{generator}/{reformulator}/seed-{seed}"

    def tuned_encoder(self, encoder: str, seed: int | str) -> str:
        """Folder of one trained encoder: its ``model`` directory and ``history.parquet``."""
        return f"{self.results}/encoders/{encoder}/seed-{seed}"

    def ranks(self, system: str, dialogues: str) -> str:
        """Ranks of one system on one dialogue set."""
        return f"{self.results}/ranks/{system}/{dialogues}.parquet"

    def run(self, system: str, dialogues: str, round_: int, seed: int | None = None) -> str:
        """TREC run of one round; ``seed`` where a system has several."""
        seeded = "" if seed is None else f".seed-{seed}"
        return f"{self.results}/runs/{system}.{dialogues}.r{round_}{seeded}.trec"

    def judgements(self, dialogues: str) -> str:
        """Judgements of a dialogue set (qrels): which image is the target of which dialogue."""
        return f"{self.results}/runs/{dialogues}.qrels"

    def analysis(self, analysis: str, dialogues: str) -> str:
        """Rows of one analysis of one dialogue set, CSV."""
        return f"{self.results}/analyses/{analysis}/{dialogues}.csv"

    def table(self, name: str) -> str:
        """Table as CSV."""
        return f"{self.results}/tables/{name}.csv"

    def figure(self, name: str) -> str:
        """Figure as SVG."""
        return f"{self.results}/figures/{name}.svg"

    def picture(self, name: str) -> str:
        """Return the same figure as PNG."""
        return f"{self.results}/figures/{name}.png"

    def scratch(self, *parts: str) -> str:
        """Folder of the finished samples of a job that has not finished."""
        return "/".join([self.results, "scratch", *parts])

    def log(self, *parts: str) -> str:
        """What a job printed."""
        return "/".join([self.results, "logs", *parts]) + ".log"

    def benchmark(self, *parts: str) -> str:
        """Seconds and memory of a job."""
        return "/".join([self.benchmarks, *parts]) + ".tsv"

    @property
    def benchmarks(self) -> str:
        """Folder of the seconds and memory of all jobs."""
        return f"{self.results}/benchmarks"

    @property
    def report(self) -> str:
        """The page."""
        return f"{self.results}/report.html"

    @property
    def explorer(self) -> str:
        """Folder of the page to look around in."""
        return f"{self.results}/explorer"

    @property
    def summary(self) -> str:
        """The tables of the page as text, Markdown."""
        return f"{self.results}/summary.md"


def instance_name(encoder: str, seed: int) -> str:
    """Name of what one seed made of a tuned encoder; no name of the config has a dot."""
    return f"{encoder}.seed-{seed}"


def parts_of_instance(name: str) -> tuple[str, int | None]:
    """Return the encoder and the seed of an instance; an encoder that is not tuned has none."""
    encoder, dot, seed = name.partition(".seed-")
    return encoder, int(seed) if dot else None


def shard_names(count: int) -> list[str]:
    """Return the shards of a dialogue set; the count is in the name, so another split overwrites nothing."""
    return [f"{shard}-of-{count}" for shard in range(count)]


@cache
def _places() -> list[re.Pattern[str]]:
    """Return a pattern for the path of every kind of file below a results folder."""
    layout, name = Layout(""), "{}"
    fusion, tuned = layout.fusion(*[name] * 5), layout.tuned_encoder(name, name)
    files = [
        layout.dialogues(name),
        layout.corpus_list(name),
        layout.simulated(name),
        layout.queries(*[name] * 3),
        layout.images(*[name] * 4),
        layout.corpus_features(name, name),
        layout.query_features(*[name] * 3),
        layout.image_features(*[name] * 5),
        *(f"{fusion}/{file}" for file in ("model.safetensors", "history.parquet")),
        *(f"{tuned}/{file}" for file in ("model", "history.parquet")),
        layout.ranks(name, name),
        f"{layout.results}/runs/{name}.trec",
        layout.judgements(name),
        layout.analysis(name, name),
        layout.table(name),
        layout.figure(name),
        layout.picture(name),
        layout.report,
        layout.summary,
        layout.explorer,
    ]
    return [re.compile(f"(?:^|/){re.escape(file[1:]).replace(re.escape(name), '[^/]+')}$") for file in files]


def place_of(path: Path) -> str | None:
    """Return the place of a path in its results folder, ``ranks/dar/val.parquet``; None for any other path.

    The last parts of the path tell: where the results folder itself lies does not matter.
    """
    name = Path(path).as_posix()
    found = [match[0].lstrip("/") for place in _places() if (match := place.search(name))]
    return max(found, key=len, default=None)
