import torch

from daitir.exact import full_blocks, one_thread


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
