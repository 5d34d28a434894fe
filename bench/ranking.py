"""Ranks against sorting, and against a plain matrix product: ``python -m bench.ranking``.

Four methods (text, image, addition, DAR) rank the queries of a benchmark among 50,000 candidates of width
256, float32. Four ways, each on one thread: our own, all methods together; our own, each method by itself;
sorting all scores of each query and looking for the target, step by step as published code does; and the
matrix product alone, in the fastest of some blocks, into memory that is there already. Sorting takes minutes,
so it is timed on a part of the queries; there its ranks must be ours, but for scores that are equal but for
rounding. Then a million candidates are ranked out of their store, in a process of its own whose memory is
looked at.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from bench.common import ROOT, Row, in_turn, parser_of, peak_gigabytes, seconds, tell

from daitir.exact import one_thread
from daitir.features import StoredFeatures, write_features
from daitir.scoring import rank_targets
from daitir.standings import Standing
from daitir.together import rank_together

BATCH = 500  # queries whose scores are sorted together
BLOCKS = [(512, 512), (1024, 512), (512, 50_000), (1024, 50_000), (2048, 50_000)]  # queries, candidates
UNSURE = 0.01  # of the ranks may differ
RECORD = {"stage": "bench", "options": {}, "inputs": {}, "versions": {}}


def unit(*shape: int) -> torch.Tensor:
    """Return random unit vectors."""
    return F.normalize(torch.randn(*shape), dim=-1)


def methods(text_MD: torch.Tensor, image_MD: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the queries of four methods."""
    mixed = {"add": text_MD + image_MD, "dar": 0.7 * text_MD + 0.3 * image_MD}
    return {"text": text_MD, "image": image_MD} | {
        name: F.normalize(sum_MD, dim=-1) for name, sum_MD in mixed.items()
    }


def sort_all(query_MD: torch.Tensor, corpus_ND: torch.Tensor, target_M: torch.Tensor) -> torch.Tensor:
    """Sort all scores of each query and look for its target: the one whose number less its own is nothing.

    The steps, and the batches, of ChatIR's published evaluation, which later systems took over.
    """
    ranks = []
    for query, target in zip(query_MD.split(BATCH), target_M.split(BATCH), strict=True):
        order = (query @ corpus_ND.T).argsort(dim=1, descending=True)
        ranks.append((order - target[:, None] == 0).nonzero()[:, 1] + 1)
    return torch.cat(ranks)


def multiply(query_MD: torch.Tensor, corpus_ND: torch.Tensor, queries: int, candidates: int) -> None:
    """Take the matrix product alone, block by block."""
    room = torch.empty(queries * candidates)
    for query in query_MD.split(queries):
        for part in corpus_ND.split(candidates):
            torch.mm(query, part.T, out=room[: len(query) * len(part)].view(len(query), len(part)))


def measure(queries: int, sorted_queries: int, candidates: int, width: int) -> Iterator[Row]:
    """Yield the rows of ranking in memory."""
    torch.manual_seed(0)
    corpus_ND, target_M = unit(candidates, width), torch.randint(candidates, (queries,))
    asked = methods(unit(queries, width), unit(queries, width))
    part = {name: query[:sorted_queries] for name, query in asked.items()}
    aims = target_M[:sorted_queries]
    sorted_ranks: dict[str, torch.Tensor] = {}

    def sort(name: str) -> None:
        sorted_ranks[name] = sort_all(part[name], corpus_ND, aims)

    with one_thread():
        few = [seconds(lambda name=name: sort(name), repeats=2) for name in part]
        require_same_ranks(rank_together(part, corpus_ND, aims), sorted_ranks)
        some = asked["text"][:4096]
        tried = in_turn(*(partial(multiply, some, corpus_ND, *block) for block in BLOCKS), repeats=2)
        block = BLOCKS[tried.index(min(tried))]
        ours, alone, product = in_turn(
            lambda: rank_together(asked, corpus_ND, target_M),
            lambda: [rank_targets(query, corpus_ND, target_M) for query in asked.values()],
            lambda: [multiply(query, corpus_ND, *block) for query in asked.values()],
            repeats=2,
        )
    sorting = sum(few) * queries / sorted_queries
    size = f"{queries:,} queries, {len(asked)} methods, {candidates:,} candidates x {width}"
    figures = f"{ours:.1f} s; sorting {sorting:.0f} s, by {sorted_queries:,} queries; {size}"
    yield Row("rank", "sorting all scores", sorting / ours, "at least 12", figures)
    figures = f"{ours:.1f} s; products {product:.1f} s, in blocks of {block[0]} x {block[1]}; {size}"
    yield Row("rank", "a matrix product a method", ours / product, "at most 1.0", figures)
    figures = f"{ours:.1f} s; one by one {alone:.1f} s; {size}"
    yield Row("rank together", "each method by itself", ours / alone, "at most 0.9", figures)


def require_same_ranks(ours: Mapping[str, Standing], theirs: Mapping[str, torch.Tensor]) -> None:
    """End the measurement if two ways rank more than a few targets differently."""
    for name, rank_Q in theirs.items():
        differ = int((ours[name].rank_Q != rank_Q).sum())
        if differ > UNSURE * len(rank_Q):
            raise SystemExit(f"{name}: {differ} of {len(rank_Q)} ranks differ")


def measure_large(candidates: int, width: int) -> Iterator[Row]:
    """Yield the row of a large corpus that is read from its store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.h5"
        call = [sys.executable, "-m", "bench.ranking", "--candidates", str(candidates), "--width", str(width)]
        subprocess.run([*call, "--write", str(path)], check=True, cwd=ROOT)
        read = [*call, "--read", str(path)]
        told = subprocess.run(read, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    peak, spent = map(float, told.stdout.split())
    figures = f"256 queries, 4 methods, {candidates:,} candidates x {width} out of a store, {spent:.1f} s"
    yield Row("memory of ranking, GiB", "2 GB", peak, "at most 1.86", figures)


def write_corpus(path: Path, candidates: int, width: int) -> None:
    """Write a store of random candidates."""
    rows_ND = np.random.default_rng(0).standard_normal((candidates, width), dtype=np.float32)
    rows_ND /= np.linalg.norm(rows_ND, axis=1, keepdims=True)
    write_features(
        path, [f"unlabeled2017/{number:012d}.jpg" for number in range(candidates)], rows_ND, RECORD
    )


def rank_stored(path: Path) -> None:
    """Rank some queries of the four methods in a store and print the peak of memory and the seconds."""
    corpus = StoredFeatures(path)
    width, target_Q = corpus.shape[1], torch.randint(len(corpus), (256,))
    asked = methods(unit(256, width), unit(256, width))
    spent = seconds(lambda: rank_together(asked, corpus, target_Q))
    print(peak_gigabytes(), spent)


def main() -> None:
    """Time the ways."""
    parser = parser_of(__doc__)
    parser.add_argument("--queries", type=int, default=2064 * 11)
    parser.add_argument("--sorted-queries", type=int, default=500, help="queries that sorting is timed on")
    parser.add_argument("--candidates", type=int, default=50_000)
    parser.add_argument("--large", type=int, default=1_000_000, help="candidates in a store")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--write", type=Path, help="only write a store")
    parser.add_argument("--read", type=Path, help="only rank in a store")
    call = parser.parse_args()
    if call.write:
        write_corpus(call.write, call.candidates, call.width)
    elif call.read:
        rank_stored(call.read)
    else:
        # First, while this process is small: another begins with the peak of the one that starts it.
        tell(measure_large(call.large, call.width), call.json)
        tell(measure(call.queries, call.sorted_queries, call.candidates, call.width), call.json)


if __name__ == "__main__":
    main()
