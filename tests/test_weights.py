import pytest
import torch
from torch import nn

from daitir.errors import DaitirError
from daitir.weights import fill, read_weights, weights_digest, write_weights

RECORD = {"stage": "train", "options": {"seed": 3}, "inputs": {"corpus": "ab"}}


def network():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_weights_come_back(tmp_path):
    """Tensors and provenance survive the file, and equal ones make equal bytes."""
    tensors = network().state_dict()
    for name in ("one", "two"):
        write_weights(tmp_path / name, dict(reversed(tensors.items())), RECORD)
    found, record = read_weights(tmp_path / "one")
    assert record == RECORD
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_fill(tmp_path):
    """Weights that fit fill the network."""
    other = nn.Linear(3, 2)
    fill(other, network().state_dict(), tmp_path)
    assert torch.equal(other.weight, network().weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": None}, r"1 weights do not fit.*'bias' \(none in the file, 2 in the network\)"),
        ({"more": torch.zeros(())}, r"'more' \(one number in the file, none in the network\)"),
        ({"weight": torch.zeros(3, 2)}, r"'weight' \(3 x 2 in the file, 2 x 3 in the network\)"),
        ({"bias": torch.tensor([1.0, float("nan")])}, "'bias' are not finite"),
    ],
)
def test_weights_that_do_not_fit(tmp_path, change, message):
    """What lacks, is too much, has another shape or is no number is named."""
    tensors = {name: value for name, value in (network().state_dict() | change).items() if value is not None}
    with pytest.raises(DaitirError, match=message):
        fill(network(), tensors, tmp_path)


def test_damaged_weights(tmp_path):
    """A missing file, a torn file and a file of others are refused in one line."""
    with pytest.raises(DaitirError, match="does not exist"):
        read_weights(tmp_path / "none")
    write_weights(tmp_path / "torn", network().state_dict(), RECORD)
    (tmp_path / "torn").write_bytes((tmp_path / "torn").read_bytes()[:-5])
    with pytest.raises(DaitirError, match="cannot be read"):
        read_weights(tmp_path / "torn")


def test_digest_sees_names_and_values():
    """Another value or another name is another digest; another order is not."""
    one, two = torch.tensor([1.0]), torch.tensor([2.0])
    same = {"a": one, "b": two}, {"b": two, "a": one}
    assert weights_digest(same[0]) == weights_digest(same[1])
    assert len({weights_digest(d) for d in ({"a": one}, {"a": two}, {"b": one})}) == 3
