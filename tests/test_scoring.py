import math
import weakref

import pytest
import torch
import torch.nn.functional as F

from daitir.scoring import rank_targets, target_ranks, target_ties

NAN = float("nan")


@pytest.mark.parametrize(
    ("scores", "target", "rank", "ties"),
    [
        ([0.9, 0.1, 0.5], 0, 1, 0),
        ([0.9, 0.1, 0.5], 1, 3, 0),
        ([0.5, 0.5, 0.5], 1, 3, 2),  # ties count against the target
        ([0.9, NAN, 0.5], 1, 3, 0),  # and so does a target without a score
        ([0.9, NAN, 0.5], 2, 3, 0),  # and a candidate without one
        ([0.2], 0, 1, 0),
    ],
)
def test_rank_of_target(scores, target, rank, ties):
    """The rank counts the target and all that do not score less; ties are the others of equal score."""
    scores_QN, target_Q = torch.tensor([scores]), torch.tensor([target])
    assert target_ranks(scores_QN, target_Q).tolist() == [rank]
    assert target_ties(scores_QN, target_Q).tolist() == [ties]


def unit(rows, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, width, generator=generator), dim=-1)


def test_streaming_agrees_with_the_whole_matrix():
    """Ranks, ties, target scores and the ten best are those of the full matrix of scores."""
    query_QD, corpus_ND = unit(150, 16), unit(2100, 16, seed=1)
    corpus_ND[1500] = corpus_ND[7]
    target_Q = torch.arange(150) * 13 % 2100
    target_Q[0] = 7
    standing = rank_targets(query_QD, corpus_ND, target_Q)
    scores_QN = query_QD @ corpus_ND.T
    assert torch.equal(standing.rank_Q, target_ranks(scores_QN, target_Q))
    assert torch.equal(standing.ties_Q, target_ties(scores_QN, target_Q))
    assert standing.ties_Q[0] == 1
    assert torch.equal(standing.target_score_Q, scores_QN.gather(1, target_Q[:, None]).squeeze(1))
    assert torch.equal(standing.best_score_QT, scores_QN.sort(dim=1, descending=True).values[:, :10])
    assert torch.equal(scores_QN.gather(1, standing.best_QT), standing.best_score_QT)


def test_equal_scores_come_in_the_order_of_the_corpus():
    """Among equal candidates the first of the corpus comes first, also across blocks, and -0.0 equals 0.0."""
    better, equal, opposite = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    corpus_ND = torch.stack([opposite, equal] * 600 + [better])
    standing = rank_targets(torch.tensor([[1.0, 0.0]]), corpus_ND, torch.tensor([1200]), top=4)
    assert standing.best_QT.tolist() == [[1200, 0, 1, 2]]
    assert standing.best_score_QT.tolist() == [[1.0, 0.0, 0.0, 0.0]]
    assert standing.rank_Q.tolist() == [1]


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("score", [0.0, 0.5])
@pytest.mark.parametrize("equal", [16, 9000])
def test_the_best_of_equal_scores(equal, score, flushed):
    """The first of the corpus come first, also where the processor takes the smallest numbers for 0."""
    corpus_ND = torch.tensor([[-0.6, 0.8]]).repeat(9000, 1)
    corpus_ND[:equal] = torch.tensor([score, (1 - score**2) ** 0.5])
    torch.set_flush_denormal(flushed)
    try:
        standing = rank_targets(torch.tensor([[1.0, 0.0]]), corpus_ND, torch.tensor([equal - 1]))
    finally:
        torch.set_flush_denormal(False)
    assert standing.best_QT.tolist() == [list(range(10))]
    assert standing.best_score_QT.unique().tolist() == [score]
    assert (standing.rank_Q.tolist(), standing.ties_Q.tolist()) == ([equal], [equal - 1])


def test_a_small_corpus_has_fewer_best():
    """Three candidates cannot give ten."""
    standing = rank_targets(unit(2, 4), unit(3, 4, seed=1), torch.tensor([0, 2]))
    assert standing.best_QT.shape == (2, 3)
    assert sorted(standing.best_QT[0].tolist()) == [0, 1, 2]


def test_a_query_that_is_no_number_is_last():
    """NaN ranks the target last and breaks nothing."""
    standing = rank_targets(torch.full((1, 4), NAN), unit(5, 4), torch.tensor([2]))
    assert standing.rank_Q.tolist() == [5]
    assert standing.ties_Q.tolist() == [0]


@pytest.mark.parametrize("width", [10, 64, 100])
@pytest.mark.parametrize("threads", [1, 2])
def test_bits_hang_on_query_and_corpus_alone(width, threads):
    """A query has the same bits alone and among others, in any order of queries, candidates and threads."""
    query_QD, corpus_ND = unit(200, width), unit(1500, width, seed=1)
    target_Q = torch.arange(200) * 7
    all_ = rank_targets(query_QD, corpus_ND, target_Q)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for some in (torch.tensor([3]), torch.randperm(200)[:77]):
            few = rank_targets(query_QD[some], corpus_ND, target_Q[some])
            assert all(torch.equal(column[some], part) for column, part in zip(all_, few, strict=True))
        order = torch.randperm(1500)
        moved = rank_targets(query_QD, corpus_ND[order], order.argsort()[target_Q])
        assert torch.equal(moved.best_score_QT, all_.best_score_QT)
        assert torch.equal(moved.target_score_Q, all_.target_score_Q)
    finally:
        torch.set_num_threads(before)


class Parts:
    """A corpus that is read in parts, and knows how many of them somebody still holds."""

    def __init__(self, corpus_ND, rows):
        self.corpus_ND, self.rows, self.given, self.most = corpus_ND.numpy(), rows, [], 0

    def __len__(self):
        return len(self.corpus_ND)

    def __getitem__(self, place_P):
        return self.corpus_ND[place_P]

    def parts(self):
        for start in range(0, len(self), self.rows):
            part = self.corpus_ND[start : start + self.rows].copy()
            self.given.append(weakref.ref(part))
            yield part
            del part
            self.most = max(self.most, sum(one() is not None for one in self.given))


@pytest.mark.parametrize("rows", [1024, 3072])
def test_memory_does_not_grow_with_the_corpus(rows):
    """A corpus that is read in parts has the standing of the whole, and never more than one is in memory."""
    query_QD, corpus_ND, target_Q = unit(140, 8), unit(9000, 8, seed=1), torch.arange(140) * 61
    parts = Parts(corpus_ND, rows)
    found, known = (rank_targets(query_QD, corpus, target_Q) for corpus in (parts, corpus_ND))
    assert all(torch.equal(one, other) for one, other in zip(found, known, strict=True))
    assert len(parts.given) == math.ceil(9000 / rows)
    assert parts.most == 1


@pytest.mark.parametrize("order", ["up", "down", "shuffled"])
def test_best_are_found_wherever_they_lie(order):
    """The best of a corpus that gets better, or worse, from place to place."""
    scores_N = torch.linspace(-1, 1, 5000).round(decimals=2)  # many are equal
    scores_N = {"up": scores_N, "down": scores_N.flip(0), "shuffled": scores_N[torch.randperm(5000)]}[order]
    corpus_ND = torch.stack([scores_N, torch.zeros(5000)], dim=1)
    standing = rank_targets(torch.tensor([[1.0, 0.0]]), corpus_ND, torch.tensor([0]), top=60)
    assert standing.best_QT[0].tolist() == scores_N.argsort(descending=True, stable=True)[:60].tolist()
