"""Products of matrices have the bits of their own rows."""

import os

import pytest
import torch

from daitir import arithmetic
from daitir.exact import one_thread

MAKERS = {"intel": "GenuineIntel", "amd": "AuthenticAMD"}


@pytest.mark.parametrize("width", [16, 96, 128, 192, 256, 384, 512, 768, 3072])
def test_a_row_has_the_same_bits_among_four_and_among_many(width):
    """Whatever the processor: a feature must not hang on the batch that it was computed in."""
    random = torch.Generator().manual_seed(width)
    rows, weights = torch.randn(300, width, generator=random), torch.randn(64, width, generator=random)
    with one_thread():
        whole = rows @ weights.T
        for count in [*range(4, 40), 64, 100, 299]:
            assert torch.equal(rows[:count] @ weights.T, whole[:count]), count


@pytest.mark.parametrize(
    ("maker", "before", "after"),
    [("intel", None, "AUTO,STRICT"), ("intel", "AVX2", "AVX2"), ("amd", None, None), (None, None, None)],
)
def test_only_intels_own_processors_are_told(monkeypatch, tmp_path, maker, before, after):
    """And only where nobody has chosen otherwise."""
    processors = tmp_path / "cpuinfo"
    if maker:
        processors.write_text(f"processor\t: 0\nvendor_id\t: {MAKERS[maker]}\ncpu family\t: 6\n")
    monkeypatch.setattr(arithmetic, "PROCESSORS", processors)
    monkeypatch.setenv(arithmetic.VARIABLE, before or "")
    if before is None:
        monkeypatch.delenv(arithmetic.VARIABLE)
    arithmetic.sum_strictly()
    assert os.environ.get(arithmetic.VARIABLE) == after
