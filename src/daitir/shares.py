"""Systems whose queries are sums of those of two others: how much of each, and how far scores then differ.

Shape suffixes: Q queries, D feature.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

UNIT = 2.0**-24  # half of a float32's last digit at 1
LONGEST = 1 + 2.0**-10  # candidates are unit vectors: none is longer than this
MOST = 8.0  # of a weight, and of the lengths of all that is summed
LEAST = 2.0**-6  # of the weight of x
LARGEST = 2.0**100  # length of y: its scores are finite
SAMPLE, ENOUGH = 64, 0.75  # queries that tell which systems are sums, and how large a part of them has to be


def rounding(terms: int) -> float:
    """Most that a float32 dot product of so many terms is off, in whatever order they are added.

    As a share of the sum of their absolute values (Higham, 2002, Lemma 3.1 and Eq. 3.4).
    """
    return terms * UNIT / (1 - terms * UNIT)


class Shares(NamedTuple):
    """A system as a sum of two others, a (x + ratio y); x is the first of the two unless ``is_swapped``.

    Scores are summed as those of x + ratio y: a, ``weight_Q``, times that is a score of the system, but for
    the slack, which is that of x + ratio y, too. Where a query is no sum its slack is infinite.
    """

    is_swapped: bool
    ratio_Q1: Tensor
    weight_Q: Tensor
    slack_Q: Tensor

    @classmethod
    def of(cls, query_QD: Tensor, first_QD: Tensor, second_QD: Tensor) -> "Shares":
        """Project each query q on those of the two others: q = a x + b y + r.

        The float32 score of q is off by at most the rounding of D terms, of |q|; a times the sum of the
        scores of x and y by that of D + 3, of |a x| + |b y|; and r adds its own length. The bound is that of
        D + 16 terms: what else is rounded (bounds to float32, this function in float64) is far less.
        """
        query, x, y = query_QD.double(), first_QD.double(), second_QD.double()
        a_Q1, b_Q1 = _weights(query, x, y)
        is_swapped = bool(b_Q1.nanmedian() > a_Q1.nanmedian())
        if is_swapped:
            x, y, a_Q1, b_Q1 = y, x, b_Q1, a_Q1
        ratio_Q1 = (b_Q1 / a_Q1).float()
        b_Q1 = a_Q1 * ratio_Q1
        left = query - a_Q1 * x - b_Q1 * y
        parts = [rows.norm(dim=1) for rows in (query, a_Q1 * x, b_Q1 * y)]
        mass_Q, left_Q = torch.stack(parts).sum(dim=0).clamp_min(1), left.norm(dim=1)
        # A mass of 1 or more, and all bounded: nothing overflows, what underflows is far less. NaN is no sum.
        off, weight_Q = rounding(query.shape[1] + 16), a_Q1.squeeze(1)
        is_bounded_Q = (mass_Q <= MOST) & (b_Q1.squeeze(1).abs() <= MOST) & (y.norm(dim=1) <= LARGEST)
        is_sum_Q = is_bounded_Q & (weight_Q >= LEAST) & (weight_Q <= MOST) & (left_Q <= off)
        slack_Q = ((off * mass_Q + left_Q) * LONGEST / weight_Q).where(is_sum_Q, torch.inf)
        ratio_Q1, weight_Q = ratio_Q1.where(is_sum_Q[:, None], 0.0), weight_Q.where(is_sum_Q, 1.0)
        return cls(is_swapped, ratio_Q1, weight_Q, slack_Q)

    @property
    def error(self) -> Tensor:
        """How far the system's own scores may lie from the summed ones times their weight."""
        return self.slack_Q * self.weight_Q


def _weights(query: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least squares weights of two rows for each query; where these are one row, of the first."""

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(dim=1, keepdim=True)

    xx, xy, yy, qx, qy = (
        dot(first, first),
        dot(first, second),
        dot(second, second),
        dot(query, first),
        dot(query, second),
    )
    area = xx * yy - xy * xy
    is_plane = area > 1e-12 * xx * yy
    a, b = (qx * yy - qy * xy) / area, (qy * xx - qx * xy) / area
    return torch.where(is_plane, a, qx / xx), torch.where(is_plane, b, 0.0)


def sums_of_two(queries: Mapping[str, Tensor]) -> list[str]:
    """Return two systems and those that are sums of them: the two with the most sums, and the least error.

    Nothing where no system is a sum of two others. A sample of queries tells: look at each before you sum.
    """
    if len(queries) < 3:
        return []
    rows = torch.linspace(0, min(map(len, queries.values())) - 1, SAMPLE).long()
    some = {name: query_MD[rows] for name, query_MD in queries.items()}
    found: dict[tuple[int, float], list[str]] = {}
    for basis in combinations(some, 2):
        first, second = (some[name] for name in basis)
        errors = {name: Shares.of(some[name], first, second).error for name in some if name not in basis}
        sums = [name for name, error_Q in errors.items() if error_Q.isfinite().double().mean() >= ENOUGH]
        if sums:
            found[len(sums), -sum(float(errors[name].median()) for name in sums)] = [*basis, *sums]
    return found[max(found)] if found else []
