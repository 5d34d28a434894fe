import pytest
import torch
import torch.nn.functional as F

from daitir import scoring
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


def test_memory_does_not_grow_with_the_corpus(monkeypatch):
    """No more than one block of scores exists at a time: scores are asked for block by block."""
    seen = []
    best_of = scoring._best_of
    monkeypatch.setattr(
        scoring, "_best_of", lambda scores, *rest: seen.append(scores.shape) or best_of(scores, *rest)
    )
    rank_targets(unit(1, 8), unit(2500, 8), torch.tensor([0]))
    assert seen == [(128, 1024), (128, 1024), (128, 452)]
