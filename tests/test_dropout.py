"""Dropout of 16 bits an element: what torch's own promises, and the same numbers for the same seed."""

import pytest
import torch

from daitir.fusions.networks.base import Dropout

ROWS, WIDTH = 400, 1001  # an odd number of elements: the last draw has some too many


def dropped(share, seed=0):
    """Return ones after dropout, and their gradient."""
    torch.manual_seed(seed)
    ones = torch.ones(ROWS, WIDTH, requires_grad=True)
    out = Dropout(share)(ones)
    out.sum().backward()
    return out.detach(), ones.grad


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_share_is_dropped_and_the_rest_made_larger(share):
    """Everywhere alike, in rows, columns and neighbours; the mean stays."""
    out, gradient = dropped(share)
    kept = out != 0
    assert torch.equal(out, gradient)
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - share)), rtol=1e-4)
    error = (share * (1 - share)) ** 0.5
    for sums, count in ((kept.sum(), kept.numel()), (kept.sum(0), ROWS), (kept.sum(1), WIDTH)):
        off = (sums / count - (1 - share)).abs().max()
        assert off < 5 * error / count**0.5
    neighbours = kept[:, 1:] & kept[:, :-1]
    assert abs(neighbours.float().mean() - (1 - share) ** 2) < 5 * error / kept.numel() ** 0.5 * 2


def test_numbers_follow_from_the_seed():
    """The same again, other ones for another."""
    assert torch.equal(dropped(0.2)[0], dropped(0.2)[0])
    assert not torch.equal(dropped(0.2)[0], dropped(0.2, seed=1)[0])


@pytest.mark.parametrize("share", [0.0, 1e-6])
def test_nothing_is_dropped_where_nothing_is_asked(share):
    """A share below half of 2^-16 is none."""
    assert torch.equal(dropped(share)[0], torch.ones(ROWS, WIDTH))


def test_share_just_below_one_keeps_numbers_finite():
    """One level of all is kept, however near the share is to one."""
    assert dropped(1 - 1e-9)[0].isfinite().all()


def test_nothing_is_dropped_when_not_training():
    """The input comes back."""
    ones = torch.ones(3, 3)
    assert Dropout(0.5).eval()(ones) is ones
