import pyarrow as pa
import pytest

from daitir.errors import DaitirError
from daitir.history import SCHEMA, read_history, write_history
from daitir.provenance import provenance
from daitir.tables import write_table


def test_history_comes_back(tmp_path):
    """An epoch is a row; a network without a gate has none in its history."""
    row = {"epoch": 1, "loss": 2.5, "learning_rate": 1e-3, "scale": 50.0, "recall_at_10": 0.5, "mrr": 0.25}
    row |= {
        "hits_at_10": 0.75,
        "gate_mean": None,
        "gate_spread": None,
        "expert_load": [0.25, 0.75],
        "chosen": True,
    }
    write_history(tmp_path / "h.parquet", [row], provenance("train", {}))
    found = read_history(tmp_path / "h.parquet").iloc[0]
    assert (found["epoch"], found["loss"], found["hits_at_10"], found["chosen"]) == (1, 2.5, 0.75, True)
    assert found["expert_load"].tolist() == [0.25, 0.75]
    assert found[["gate_mean", "gate_spread"]].isna().all()


def test_an_older_history_is_read(tmp_path):
    """One from before Hits@10 was measured has none; nothing has to be trained again."""
    row = {"epoch": 1, "loss": 2.5, "recall_at_10": 0.5, "mrr": 0.25, "chosen": True}
    older = SCHEMA.remove(SCHEMA.get_field_index("hits_at_10"))
    write_table(tmp_path / "h.parquet", pa.Table.from_pylist([row], older), provenance("train", {}))
    found = read_history(tmp_path / "h.parquet")
    assert list(found.columns) == SCHEMA.names
    assert (found["mrr"][0], found["hits_at_10"].isna()[0]) == (0.25, True)


def test_a_history_that_is_not_there_says_so(tmp_path):
    """A missing file is one line."""
    with pytest.raises(DaitirError, match="does not exist"):
        read_history(tmp_path / "h.parquet")
