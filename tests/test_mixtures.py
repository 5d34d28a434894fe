"""Weighted sums ranked together have the ranks that each has by itself, as the rank stage counts them."""

import pytest
import torch
import torch.nn.functional as F

from daitir.analyses import mixtures
from daitir.analyses.mixtures import Pile, rank_mixtures
from daitir.scoring import count_ranks, rank_targets, score_less

QUERIES, CANDIDATES, WIDTH, IMAGES = 150, 1500, 24, 3
ALPHAS = [step / 10 for step in range(11)]


def units(seed, *shape):
    """Random unit vectors."""
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def world(spread=1.0):
    """Texts, images, candidates and targets; candidates as close together as ``spread`` says."""
    corpus_ND = F.normalize(units(0, 1, WIDTH) + spread * units(1, CANDIDATES, WIDTH), dim=-1)
    text_MD, images_MKD = units(2, QUERIES, WIDTH), units(3, QUERIES, IMAGES, WIDTH)
    target_M = torch.randint(CANDIDATES, (QUERIES,), generator=torch.Generator().manual_seed(4))
    return text_MD, images_MKD, corpus_ND, target_M


def fuse(text_MD, images_MKD, alpha):
    """DAR's sum as the fusion makes it."""
    return F.normalize(alpha * text_MD + (1 - alpha) * images_MKD.sum(dim=1), dim=-1)


def both_ways(text_MD, images_MKD, corpus_ND, target_M):
    """Ranks of all weights together, and each by itself in a full pass."""
    piles = {"text": Pile.of(text_MD[:, None]), "images": Pile.of(images_MKD)}
    one_M = torch.ones(len(text_MD), dtype=torch.float64)
    asked = {alpha: {"text": alpha * one_M, "images": (1 - alpha) * one_M} for alpha in ALPHAS}
    calls = []

    def direct(alpha):
        calls.append(alpha)
        return fuse(text_MD, images_MKD, alpha)

    found = rank_mixtures(piles, asked, direct, corpus_ND, target_M)
    known = {a: rank_targets(fuse(text_MD, images_MKD, a), corpus_ND, target_M).rank_Q for a in ALPHAS}
    return found, known, calls


def equal(found, known):
    return all(torch.equal(found[alpha], known[alpha]) for alpha in ALPHAS)


@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-4, 1e-6])
def test_ranks_of_sums_are_those_of_full_passes(spread):
    """To the last one, also where candidates lie so close that rounding decides their order."""
    found, known, _ = both_ways(*world(spread))
    assert equal(found, known)


def test_what_is_far_apart_is_told_without_a_second_look(monkeypatch):
    """Few pairs are scored again, of all that there are."""
    pairs = []

    def counted(query_QD, corpus_ND, target_Q, row_P, candidate_P):
        pairs.append(len(row_P))
        return score_less(query_QD, corpus_ND, target_Q, row_P, candidate_P)

    monkeypatch.setattr(mixtures, "score_less", counted)
    both_ways(*world())
    assert sum(pairs) < 1e-3 * len(ALPHAS) * QUERIES * CANDIDATES


def test_equal_candidates_count_against_the_target():
    """Every candidate comes twice, so no target is first."""
    text_MD, images_MKD, corpus_ND, target_M = world()
    found, known, _ = both_ways(text_MD, images_MKD, torch.cat([corpus_ND, corpus_ND]), target_M)
    assert equal(found, known)
    assert all((ranks >= 2).all() for ranks in found.values())


def test_features_that_are_no_numbers_count_against_the_target():
    """Of a text, an image, a candidate or a target."""
    text_MD, images_MKD, corpus_ND, target_M = world()
    for broken in (text_MD[3], images_MKD[5, 1], corpus_ND[7], corpus_ND[target_M[0]]):
        kept = broken.clone()
        broken[0] = torch.nan
        found, known, _ = both_ways(text_MD, images_MKD, corpus_ND, target_M)
        assert equal(found, known)
        broken[:] = kept


def test_sum_that_cancels_out_is_ranked_by_a_full_pass():
    """Scores that are all alike tell nothing: the direct way decides."""
    text_MD, images_MKD, corpus_ND, target_M = world()
    images_MKD = -text_MD[:, None].expand(-1, IMAGES, -1) / IMAGES
    found, known, calls = both_ways(text_MD, images_MKD, corpus_ND, target_M)
    assert equal(found, known)
    assert 0.5 in calls


def test_ranks_alone_are_those_of_the_standing():
    """Counting alone gives the ranks of `rank_targets`."""
    text_MD, _, corpus_ND, target_M = world(1e-6)
    known = rank_targets(text_MD, corpus_ND, target_M).rank_Q
    assert torch.equal(count_ranks(text_MD, corpus_ND, target_M), known)


def test_pairs_are_decided_as_in_a_full_pass():
    """Some candidates of some queries: what is less adds up to the rank."""
    text_MD, _, corpus_ND, target_M = world(1e-6)
    rows = torch.tensor([0, 7, 149])
    row_P, candidate_P = rows.repeat_interleave(CANDIDATES), torch.arange(CANDIDATES).repeat(len(rows))
    less_P = score_less(text_MD, corpus_ND, target_M, row_P, candidate_P)
    found = CANDIDATES - less_P.view(len(rows), CANDIDATES).sum(dim=1)
    assert torch.equal(found, rank_targets(text_MD, corpus_ND, target_M).rank_Q[rows])
