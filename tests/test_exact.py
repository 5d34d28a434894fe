import torch

from daitir import exact
from daitir.exact import full_blocks, one_thread, rows_that_do


def test_blocks_are_full():
    """Five places in blocks of three: the last block repeats its last place and says that two are new."""
    blocks = [(places.tolist(), count) for places, count in full_blocks(5, 3)]
    assert blocks == [([0, 1, 2], 3), ([3, 4, 4], 2)]


def test_one_thread_is_given_back():
    """Inside the block torch has one thread, after it as many as before, also after an error."""
    before = torch.get_num_threads()
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
            raise KeyError
    except KeyError:
        assert torch.get_num_threads() == before


def test_fewer_rows_do_only_with_the_same_bits(monkeypatch):
    """Other vectors have the same bits in narrow blocks as in full ones; where none has, full ones do."""
    random = torch.Generator().manual_seed(1)
    query_QD, candidate_ND = torch.randn(2, 512, 24, generator=random)
    with one_thread():
        narrow = [part_QD @ candidate_ND.T for part_QD in query_QD.split(rows_that_do(512, 512, 24))]
        assert torch.equal(torch.cat(narrow), query_QD @ candidate_ND.T)
    monkeypatch.setattr(exact, "NARROWER", (16, 32))
    kept = torch.Tensor.split
    monkeypatch.setattr(torch.Tensor, "split", lambda rows, size: [part + 1 for part in kept(rows, size)])
    assert rows_that_do.__wrapped__(64, 48, 7) == 64
