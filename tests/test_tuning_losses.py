import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from daitir.tuning import HardNegatives
from daitir.tuning.losses import (
    FIRST_WEIGHTS,
    TermWeights,
    Views,
    disagreement,
    dmcl_terms,
    hardest,
    info_nce,
    others_of_same,
)

HARD = HardNegatives(count=2)
APART = torch.zeros(2, 2, dtype=torch.bool)
AXES = torch.eye(2, dtype=torch.float64)
ONE = torch.tensor(1.0, dtype=torch.float64)


def random_views(rows=5, width=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, rows, width, generator=generator, dtype=torch.float64)


def unit(raw):
    return Views(*F.normalize(raw, dim=-1))


def test_info_nce_of_two_pairs():
    """Cosines 1 and 0 at scale ln 3: each right pair has 3 / (3 + 1), so the loss is ln 4 / 3."""
    loss = info_nce(AXES, AXES, math.log(3) * ONE, APART)
    assert loss.item() == pytest.approx(math.log(4 / 3))


def test_another_dialogue_about_one_image_is_no_negative():
    """Rows 0 and 1 look for one image: each has row 2 alone as its negative."""
    same_BB = others_of_same(torch.tensor([7, 7, 8]))
    assert same_BB.nonzero().tolist() == [[0, 1], [1, 0]]
    rows_BD = torch.tensor([[1.0, 0], [1, 0], [0, 1]], dtype=torch.float64)
    first = -math.log(math.e / (math.e + 1))
    last = -math.log(math.e / (math.e + 2))
    assert info_nce(rows_BD, rows_BD, ONE, same_BB).item() == pytest.approx((2 * first + last) / 3)


def test_views_that_agree_do_not_diverge():
    """Equal views have divergence 0; sure ones that mean different targets have ln 2."""
    assert disagreement(Views(AXES, AXES, AXES), ONE, 1.0).item() == pytest.approx(0, abs=1e-15)
    opposite = disagreement(Views(AXES, AXES.flip(0), AXES), 100 * ONE, 1.0)
    assert opposite.item() == pytest.approx(math.log(2))


def test_a_higher_temperature_softens_the_disagreement():
    """Scale ln 9 at temperature 2 is scale ln 3: the text says 3/4 where the image says 1/4."""
    found = disagreement(Views(AXES, AXES.flip(0), AXES), math.log(9) * ONE, 2.0)
    kl = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert found.item() == pytest.approx(kl)


def test_only_the_hardest_negatives_count():
    """Of two negatives the nearer is taken, with its distance to the right one, margin and temperature."""
    queries_BD = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    targets_BD = torch.tensor([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0.6, 0.8]], dtype=torch.float64)
    loss = hardest(queries_BD, targets_BD, others_of_same(torch.arange(3)), HardNegatives(count=1))
    gaps = [0.6 - 1, 0.6 - 0.8, 0 - 0.8, 0 - 1, 0.6 - 0.8, 0.6 - 0.8]  # of the queries, then of the targets
    assert loss.item() == pytest.approx(np.mean([np.log1p(np.exp((gap + 0.1) / 0.1)) for gap in gaps]))


def test_no_negatives_are_no_loss():
    """A batch about one image has no hard negatives, and no gradient that is not a number."""
    rows_BD = AXES.clone().requires_grad_()
    loss = hardest(rows_BD, AXES, others_of_same(torch.tensor([3, 3])), HARD)
    loss.backward()
    assert loss.item() == 0
    assert rows_BD.grad.tolist() == [[0, 0], [0, 0]]


def test_weights_start_as_published_and_share_one_unit():
    """The total is the mean of the terms under 1, 1, 1, 0.5 and 0.2."""
    weights = TermWeights()
    assert weights.weights.tolist() == pytest.approx(FIRST_WEIGHTS)
    total = weights(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert total.item() == pytest.approx((1 + 2 + 3 + 2 + 1) / 3.7)


def numpy_total(raw, scale, raw_T, temperature, hard):
    """DMCL's objective once more, without torch."""
    t, v, c = raw / np.linalg.norm(raw, axis=-1, keepdims=True)
    fused = (t + v) / np.linalg.norm(t + v, axis=-1, keepdims=True)

    def softmax(logits):
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def contrast(one, other):
        logits = scale * one @ other.T
        return -(np.log(np.diag(softmax(logits))) + np.log(np.diag(softmax(logits.T)))).mean() / 2

    def hard_loss(query):
        sums = []
        for cosine in (query @ c.T, c @ query.T):
            for row, scores in enumerate(cosine):
                wrong = np.sort(np.delete(scores, row))[-hard.count :]
                sums += np.log1p(np.exp((wrong - scores[row] + hard.margin) / hard.temperature)).tolist()
        return np.mean(sums)

    p, q = softmax(scale / temperature * t @ c.T), softmax(scale / temperature * v @ c.T)
    middle = (p + q) / 2
    agreement = ((p * np.log(p / middle)).sum(1) + (q * np.log(q / middle)).sum(1)).mean() / 2
    terms = [contrast(query, c) + hard.weight * hard_loss(query) for query in (v, t, fused)]
    terms += [contrast(v, t), agreement]
    weight_T = np.log1p(np.exp(raw_T))
    return (weight_T * terms).sum() / weight_T.sum()


def test_the_objective_agrees_with_numpy_in_value_and_gradient():
    """Value to 1e-12 and gradients to 1e-7, by central differences of an independent float64 calculation."""
    weights = TermWeights().double()
    raw, log_scale = random_views().requires_grad_(), torch.tensor(1.2, dtype=torch.float64).requires_grad_()
    same_BB = others_of_same(torch.arange(raw.shape[1]))
    total = weights(dmcl_terms(unit(raw), log_scale.exp(), same_BB, 1.5, HARD))
    total.backward()
    found = torch.cat([raw.grad.flatten(), log_scale.grad[None], weights.raw_T.grad]).numpy()
    place = np.concatenate([raw.detach().numpy().ravel(), [1.2], weights.raw_T.detach().numpy()])

    def value(flat):
        return numpy_total(flat[:-6].reshape(raw.shape), np.exp(flat[-6]), flat[-5:], 1.5, HARD)

    assert total.item() == pytest.approx(value(place), abs=1e-12)
    steps = 1e-5 * np.eye(len(place))
    wanted = [(value(place + step) - value(place - step)) / 2e-5 for step in steps]
    assert np.abs(found - wanted).max() < 1e-7
    assert np.abs(found).min() > 0
