import pytest

from daitir.errors import DaitirError
from daitir.scratch import scratch_for


def test_what_a_killed_stage_finished_is_found_again(tmp_path):
    """After an error the folder of the same options is there, that of others is empty; at the end all is gone."""
    folder = tmp_path / "scratch"
    with pytest.raises(KeyboardInterrupt), scratch_for(folder, {"steps": 1}) as mine:
        (mine / "done").write_text("x")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), scratch_for(folder, {"steps": 2}) as mine:
        assert list(mine.iterdir()) == []
        raise KeyboardInterrupt
    with scratch_for(folder, {"steps": 1}) as mine:
        assert (mine / "done").read_text() == "x"
    assert not folder.exists()


def test_a_second_process_is_refused(tmp_path):
    """Two of the same stage would write over each other."""
    with scratch_for(tmp_path / "s", {}), pytest.raises(DaitirError, match="another process works in"):
        scratch_for(tmp_path / "s", {}).__enter__()
