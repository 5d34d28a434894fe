from contextlib import suppress

from daitir.scratch import scratch_for


def test_what_a_killed_stage_finished_is_found_again(tmp_path):
    """After an error the same options find their folder, others an empty one; at the end all is gone."""
    folder = tmp_path / "scratch"
    assert killed(folder, {"steps": 1}) == []
    assert killed(folder, {"steps": 2}) == []
    assert killed(folder, {"steps": 1}) == ["done"]
    with scratch_for(folder, {"steps": 1}) as mine:
        assert (mine / "done").read_text() == "x"
    assert not folder.exists()


def killed(folder, record):
    """Work in a scratch folder until killed; return what was found there."""
    with suppress(KeyboardInterrupt), scratch_for(folder, record) as mine:
        found = [path.name for path in mine.iterdir()]
        (mine / "done").write_text("x")
        raise KeyboardInterrupt
    return found
