"""Dialogue sets keep what they were given; an import takes what fits and refuses the rest by name."""

import pytest

from daitir.dialogues import Dialogue, read_dialogues, some_of, write_dialogues
from daitir.errors import DaitirError

RECORD = {"stage": "test"}


def test_dialogues_are_read_as_they_were_written(tmp_path):
    """Parquet keeps turns and their order, and the places in the file, known or not."""
    dialogues = [Dialogue("a", "a.png", ("caption", "q? a"), 7), Dialogue("b", "b.png", ("another",))]
    write_dialogues(tmp_path / "d.parquet", dialogues, RECORD)
    assert read_dialogues(tmp_path / "d.parquet") == dialogues


def test_limit_keeps_what_a_smaller_limit_took(tmp_path):
    """Dialogues are drawn by name, so raising the limit only adds, in whatever order they came."""
    dialogues = [Dialogue(str(number), "a.png", ("caption",), number) for number in range(9)]
    three = some_of(dialogues, 3, tmp_path)
    five = some_of(dialogues[::-1], 5, tmp_path)
    assert len(three) == 3
    assert set(three) < set(five)
    assert five == sorted(five, key=lambda dialogue: dialogue.dialogue_id)
    assert some_of(dialogues, None, tmp_path) == dialogues


def test_limit_above_the_file_is_refused(tmp_path):
    """Fewer dialogues than asked for are not quietly fewer."""
    with pytest.raises(DaitirError, match="has 1 dialogues, fewer than `limit: 7`"):
        some_of([Dialogue("a", "a.png", ("caption",))], 7, tmp_path)
