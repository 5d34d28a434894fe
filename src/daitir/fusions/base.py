"""What every fusion gives: a query feature, and how it came about.

Shape suffixes, in all fusions: B batch, D feature, K images of one round, E experts.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from daitir.errors import DaitirError
from daitir.exact import full_blocks, one_thread

ROWS = 64


class Fused(NamedTuple):
    """Unit query features; the gate (weight of the text) and the router's weights where a fusion has them."""

    query_BD: Tensor
    gate_B: Tensor | None = None
    router_BE: Tensor | None = None


class Fusion(Protocol):
    """Joins the text feature and the K image features of each query."""

    def fuse(self, text_BD: Tensor, images_BKD: Tensor | None, round_B: Tensor) -> Fused:
        """Return the queries; all features are unit vectors, ``round_B`` counts from 0."""


def use_images(images_BKD: Tensor | None, count: int | None) -> Tensor:
    """Return the first ``count`` images of each query (None = all); too few are refused."""
    if images_BKD is None:
        raise DaitirError("this fusion looks at generated images: give their features with --pictures")
    if count is not None and images_BKD.shape[1] < count:
        raise DaitirError(
            f"the fusion looks at {count} images a round but there are {images_BKD.shape[1]}:"
            " lower `images:` of the fusion or raise that of the generator"
        )
    return images_BKD[:, :count]


def mean_image(images_BKD: Tensor) -> Tensor:
    """Mean of the K image features, brought back to unit length."""
    return F.normalize(images_BKD.mean(dim=1), dim=-1)


def fuse_in_blocks(fuse: Callable[..., Fused], *columns_M: Tensor | None) -> Fused:
    """Fuse M queries in blocks of one shape on one thread: a query's bits depend on its own features alone.

    ``fuse`` takes a block of each column; a column that is None is handed on as None.
    """
    parts = []
    with one_thread(), torch.inference_mode():
        for place_B, count in full_blocks(_length(columns_M), ROWS):
            fused = fuse(*(None if column is None else column[place_B] for column in columns_M))
            parts.append([None if column is None else column[:count] for column in fused])
    query, gate, router = (
        None if column[0] is None else torch.cat(column) for column in zip(*parts, strict=True)
    )
    assert query is not None
    return Fused(query, gate, router)


def _length(columns: tuple[Tensor | None, ...]) -> int:
    return next(len(column) for column in columns if column is not None)
