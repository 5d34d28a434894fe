"""The shared training loop resumes as if nothing had happened."""

import pytest
import torch
from torch import nn

from daitir.mini.trainer import Average, Plan, train


def squares(model, seen):
    """Fit y = 2 x on numbers drawn from the stream of each step; ``seen`` notes the first of each."""

    def loss(step, rng):
        x = torch.tensor([[rng.random()] for _ in range(8)]) + 0.01 * torch.rand(8, 1)
        seen.append((step, x[0].item()))
        return {"loss": (model(x).float() - 2 * x).square().mean()}

    return loss


def fresh_model():
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def plan(steps, **changes):
    return Plan(steps, learning_rate=0.05, warmup=2, ema=0.9, **changes)


def test_rate_rises_stays_and_falls():
    """Warm-up to the full rate, then a linear fall to zero in the last share of the steps."""
    rates = [Plan(10, 1.0, warmup=2, cooldown=0.4).rate(step) for step in range(11)]
    assert rates == [0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]


def test_killed_run_continues_with_the_same_weights_and_the_same_stream(tmp_path):
    """Four steps and a stop in the middle give the bytes of four steps without one."""
    whole, parts = [], []
    expected = fresh_model()
    train(expected, squares(expected, whole), plan(4), tmp_path / "whole")

    class KilledError(Exception):
        pass

    first = fresh_model()
    fit = squares(first, parts)

    def killed_at_two(step, rng):
        if step == 2:
            raise KilledError
        return fit(step, rng)

    with pytest.raises(KilledError):
        train(first, killed_at_two, plan(4, save_seconds=0.0), tmp_path / "parts")
    second = fresh_model()
    train(second, squares(second, parts), plan(4), tmp_path / "parts")
    assert parts == whole
    assert torch.equal(second.weight, expected.weight)


def test_finished_run_is_not_trained_again(tmp_path):
    """A run that has its steps gives its averaged weights without a step."""
    first, again, seen = fresh_model(), nn.Linear(1, 1), []
    train(first, squares(first, []), plan(3), tmp_path)
    train(again, squares(again, seen), plan(3), tmp_path)
    assert seen == []
    assert torch.equal(again.weight, first.weight)


def test_average_is_a_moving_mean():
    """Young averages forget with (1 + step) / (10 + step): after step 0 a tenth of the old weight is left."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
        average = Average(model, decay=0.9)
        model.weight.fill_(0.0)
    average.update(0)
    with average.applied():
        torch.testing.assert_close(model.weight.item(), 0.1)
    assert model.weight.item() == 0.0
