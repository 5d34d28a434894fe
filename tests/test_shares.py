"""How much a system is of two others, and how far its scores may lie from theirs."""

import torch

from daitir.shares import Shares, rounding, sums_of_two
from tests.summed import QUERIES, WIDTH, units, world


def test_summed_scores_lie_within_the_slack():
    """Of the product's score, for every pair; and the slack is not much more than a score's own rounding."""
    for width in (3, 64, 512):
        queries, corpus_ND, _ = world(width=width)
        first, second = queries["text"], queries["image"]
        shares = Shares.of(queries["add"], first, second)
        x, y = (second, first) if shares.is_swapped else (first, second)
        summed = torch.addcmul(x @ corpus_ND.T, y @ corpus_ND.T, shares.ratio_Q1)
        found_Q = (shares.weight_Q[:, None] * summed - queries["add"] @ corpus_ND.T).abs().amax(dim=1)
        assert (found_Q <= shares.error).all()
        assert shares.error.median() < 3 * rounding(width + 16)


def test_two_systems_are_found_that_make_the_others():
    """What is no sum is not among them."""
    queries, _, _ = world()
    assert sorted(sums_of_two({"other": units(7, QUERIES, WIDTH)} | queries)) == sorted(queries)
    assert sums_of_two({name: queries[name] for name in ("text", "image")}) == []
