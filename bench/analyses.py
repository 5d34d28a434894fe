"""Weights of the text at full size: ``python -m bench.analyses`` prints seconds of both ways and their ratio.

The eleven weights of the analysis `alpha` on synthetic unit features: ranked together, by sums of two
scores, and each by a full pass as the rank stage makes one. Both on one thread, with the same queries; the
ranks must agree to the last one. A query costs the same however many there are; a benchmark has 22,704.
"""

import argparse
import resource
import time

import torch
import torch.nn.functional as F

from daitir.analyses.alpha import STEPS
from daitir.analyses.mixtures import Pile, rank_mixtures
from daitir.exact import one_thread
from daitir.scoring import rank_targets

BENCHMARK = 2064 * 11


def near(middle_D: torch.Tensor, spread: float, *shape: int) -> torch.Tensor:
    """Unit vectors around a middle, as the features of an encoder lie."""
    return F.normalize(middle_D + spread * F.normalize(torch.randn(*shape), dim=-1), dim=-1)


def main() -> None:
    """Time both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1024)
    parser.add_argument("--candidates", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--images", type=int, default=3)
    call = parser.parse_args()
    torch.manual_seed(0)
    middle_D = F.normalize(torch.randn(call.width), dim=0)
    corpus_ND = near(middle_D, 1.0, call.candidates, call.width)
    target_M = torch.randint(call.candidates, (call.queries,))
    text_MD = near(corpus_ND[target_M], 2.0, call.queries, call.width)
    images_MKD = near(corpus_ND[target_M][:, None], 3.0, call.queries, call.images, call.width)

    def direct(alpha: float) -> torch.Tensor:
        return F.normalize(alpha * text_MD + (1 - alpha) * images_MKD.sum(dim=1), dim=-1)

    with one_thread():
        start = time.perf_counter()
        one_M = torch.ones(call.queries, dtype=torch.float64)
        piles = {"text": Pile.of(text_MD[:, None]), "images": Pile.of(images_MKD)}
        mixtures = {alpha: {"text": alpha * one_M, "images": (1 - alpha) * one_M} for alpha in STEPS}
        found = rank_mixtures(piles, mixtures, direct, corpus_ND, target_M)
        together = time.perf_counter() - start
        start = time.perf_counter()
        known = {alpha: rank_targets(direct(alpha), corpus_ND, target_M, top=1).rank_Q for alpha in STEPS}
        alone = time.perf_counter() - start
    if not all(torch.equal(found[alpha], known[alpha]) for alpha in STEPS):
        raise SystemExit("the ranks differ")
    scale, peak = BENCHMARK / call.queries, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    for name, seconds in (("each by itself", alone), ("together", together)):
        print(f"{name:15} {seconds:6.1f} s   a benchmark: {scale * seconds:6.0f} s")
    print(f"ratio {alone / together:.1f}; {peak:.2f} GiB; all ranks are equal")


if __name__ == "__main__":
    main()
