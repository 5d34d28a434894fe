"""Systems ranked together stand where each stands by itself, to the last bit."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from daitir import together
from daitir.scoring import rank_targets, score_pairs
from daitir.together import rank_together
from tests.summed import CANDIDATES, QUERIES, WIDTH, systems, units, world


@pytest.fixture(autouse=True)
def _share_small_corpora(monkeypatch):
    monkeypatch.setattr(together, "WORTHWHILE", 0)


def assert_as_alone(queries, corpus_ND, target_M, top=10, corpus=None):
    """All five columns of each system are those of its own ranking."""
    found = rank_together(queries, corpus_ND if corpus is None else corpus, target_M, top)
    assert list(found) == list(queries)
    for name, query_MD in queries.items():
        known = rank_targets(query_MD, corpus_ND, target_M, top)
        for field, one, other in zip(known._fields, found[name], known, strict=True):
            assert one.dtype == other.dtype, (name, field)
            if one.is_floating_point():  # bits: NaN is NaN, and -0.0 is not 0.0
                one, other = one.view(torch.int32), other.contiguous().view(torch.int32)
            assert torch.equal(one, other), (name, field)


@pytest.fixture
def alone(monkeypatch):
    """How many queries each call of `rank_targets` got in what is ranked together."""
    calls = []

    def counted(query_QD, *others):
        calls.append(len(query_QD))
        return rank_targets(query_QD, *others)

    monkeypatch.setattr(together, "rank_targets", counted)
    return calls


@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("width", [3, 24, 256])
def test_standings_are_those_of_each_alone(spread, width):
    """Also where candidates lie so close that rounding decides their order."""
    assert_as_alone(*world(spread=spread, width=width))


@pytest.mark.parametrize("candidates", [1, 3, 9, 12, 511, 512, 513, 5000])
@pytest.mark.parametrize("queries", [1, 2, 600])
def test_any_number_of_queries_and_candidates(queries, candidates):
    """Fewer candidates than the best, than a block, a little more, and many."""
    assert_as_alone(*world(queries=queries, candidates=candidates))


@pytest.mark.parametrize("top", [0, 1, 10, 600])
def test_any_number_of_best(top):
    """None, one, ten, more than a block has."""
    assert_as_alone(*world(queries=20), top=top)


def test_two_products_rank_four_systems(alone, monkeypatch):
    """No system is ranked by itself, and few pairs are scored again."""
    pairs = []

    def counted(*given):
        pairs.append(len(given[2]))
        return score_pairs(*given)

    monkeypatch.setattr(together, "score_pairs", counted)
    queries, corpus_ND, target_M = world(candidates=6000)
    assert_as_alone(queries, corpus_ND, target_M)
    assert sum(alone) == 0
    assert sum(pairs) <= 2 * len(target_M) * (10 + together.SURPLUS)


def test_a_small_corpus_is_not_worthwhile(alone, monkeypatch):
    """Each system is ranked by itself."""
    monkeypatch.setattr(together, "WORTHWHILE", CANDIDATES + 1)
    assert_as_alone(*world())
    assert alone == [QUERIES] * 4


@pytest.mark.parametrize("copies", [2, 12, 40])
def test_equal_candidates_keep_their_order(copies):
    """Every candidate comes several times: ties with the target, and across the border of the best."""
    queries, corpus_ND, target_M = world(candidates=300)
    assert_as_alone(queries, corpus_ND.repeat(copies, 1), target_M)


def test_one_candidate_many_times():
    """All scores of a query are equal."""
    queries, corpus_ND, target_M = world()
    assert_as_alone(queries, corpus_ND[:1].expand(CANDIDATES, -1).contiguous(), target_M)


def test_scores_that_are_nothing():
    """Candidates that stand upright on all queries, or are nothing, tie at 0.0 or -0.0."""
    queries, corpus_ND, target_M = world()
    for query_MD in queries.values():
        query_MD[:, 12:] = 0
    corpus_ND[::2, :12] = 0
    corpus_ND[::4] = 0
    assert_as_alone(queries, corpus_ND, target_M)


def test_scores_that_underflow():
    """Products too small for a float32 are no less than nothing."""
    queries, corpus_ND, target_M = world(candidates=600)
    assert_as_alone(queries, corpus_ND * torch.logspace(-45, 0, 600)[:, None], target_M)


def test_a_row_as_long_as_floats_allow():
    """Its scores overflow where those of the sums, of which it is next to nothing, do not."""
    queries, corpus_ND, target_M = world(queries=100)
    short_MD, way_MD = queries["text"], queries["image"]
    long_MD = way_MD / way_MD.abs().amax(dim=1, keepdim=True) * 3e38
    corpus_ND[:100], target_M[:50] = way_MD, torch.arange(50)
    sums = (F.normalize(short_MD + 0.3 * way_MD, dim=-1), F.normalize(0.6 * short_MD + 0.5 * way_MD, dim=-1))
    assert_as_alone(dict(zip("abcd", (short_MD, long_MD, *sums), strict=True)), corpus_ND, target_M)


@pytest.mark.parametrize("candidates", [9000, 20_000])
def test_many_groups_of_blocks(candidates):
    """The best are found in the first group and in later ones, and in the parts of a store."""
    queries, corpus_ND, target_M = world(queries=20, candidates=candidates)
    assert_as_alone(queries, corpus_ND, target_M, corpus=Parts(corpus_ND))


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_sum_may_be_one_of_the_two(alpha, alone):
    """DAR that trusts the text, or the image, alone."""
    assert_as_alone(*world(alpha=alpha))
    assert sum(alone) == 0


@pytest.mark.parametrize("apart", [0.0, 1e-7, 1e-6, 1e-4, 1e-2])
def test_image_along_the_text(apart):
    """Two rows that are nearly one make no plane."""
    queries, corpus_ND, target_M = world()
    near_MD = F.normalize(queries["text"] + apart * units(9, QUERIES, WIDTH), dim=-1)
    assert_as_alone(systems(queries["text"], near_MD), corpus_ND, target_M)
    assert_as_alone(systems(queries["text"], -near_MD, 0.5), corpus_ND, target_M)


def test_some_queries_that_are_no_sums(alone):
    """They alone are ranked by themselves."""
    queries, corpus_ND, target_M = world()
    queries["dar"][[3, 77]] = units(8, 2, WIDTH)
    assert_as_alone(queries, corpus_ND, target_M)
    assert set(alone) == {2}


def test_a_system_that_is_no_sum(alone):
    """It is ranked by itself, wherever it stands; the others share."""
    queries, corpus_ND, target_M = world()
    assert_as_alone({"other": units(7, QUERIES, WIDTH)} | queries, corpus_ND, target_M)
    assert alone == [QUERIES]
    assert_as_alone({"text": queries["text"], "other": units(7, QUERIES, WIDTH)}, corpus_ND, target_M)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_what_is_no_unit_vector(value):
    """In queries, candidates and targets."""
    queries, corpus_ND, target_M = world()
    for broken in (*(query_MD[3] for query_MD in queries.values()), corpus_ND[7], corpus_ND[target_M[0]]):
        kept = broken.clone()
        broken[0] = value
        assert_as_alone(queries, corpus_ND, target_M)
        broken[:] = kept


class Parts:
    """A corpus that is read in parts."""

    def __init__(self, corpus_ND):
        self.corpus_ND, self.passes = corpus_ND.numpy(), 0

    def __len__(self):
        return len(self.corpus_ND)

    def __getitem__(self, place_P):
        return self.corpus_ND[place_P]

    def parts(self):
        self.passes += 1
        for start in range(0, len(self), 1024):
            yield self.corpus_ND[start : start + 1024].copy()


def test_a_store_is_gone_through_once():
    """Read in parts it gives the same."""
    queries, corpus_ND, target_M = world(candidates=5000)
    parts = Parts(corpus_ND)
    assert_as_alone(queries, corpus_ND, target_M, corpus=parts)
    assert parts.passes == 1


def test_pairs_have_the_bits_of_a_full_pass():
    """In any order, of some queries."""
    queries, corpus_ND, target_M = world(spread=1e-3)
    known = rank_targets(queries["add"], corpus_ND, target_M, CANDIDATES)
    row_P = torch.arange(QUERIES).repeat_interleave(40)[torch.randperm(40 * QUERIES)]
    column_P = torch.randint(CANDIDATES, (len(row_P),))
    found_P = score_pairs(queries["add"], corpus_ND, row_P, known.best_QT[row_P, column_P])
    assert torch.equal(found_P, known.best_score_QT[row_P, column_P])


@settings(max_examples=40, deadline=None)
@given(
    queries=st.integers(1, 40),
    candidates=st.integers(1, 1200),
    width=st.integers(1, 40),
    spread=st.sampled_from([1.0, 1e-2, 1e-5]),
    alpha=st.floats(0, 1),
    rounded=st.booleans(),
    top=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_any_world(queries, candidates, width, spread, alpha, rounded, top, seed):
    """Whatever the numbers, also where they are so round that many scores are equal."""
    by_name, corpus_ND, target_M = world(queries, candidates, spread, width, alpha, seed)
    if rounded:
        corpus_ND = corpus_ND.round(decimals=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(together, "WORTHWHILE", 0)
        assert_as_alone(by_name, corpus_ND, target_M, top)
