from daitir.history import read_history, write_history
from daitir.provenance import provenance


def test_history_comes_back(tmp_path):
    """An epoch is a row; a network without a gate has none in its history."""
    row = {"epoch": 1, "loss": 2.5, "learning_rate": 1e-3, "scale": 50.0, "recall_at_10": 0.5, "mrr": 0.25}
    row |= {"gate_mean": None, "gate_spread": None, "expert_load": [0.25, 0.75], "chosen": True}
    write_history(tmp_path / "h.parquet", [row], provenance("train", {}))
    found = read_history(tmp_path / "h.parquet").iloc[0]
    assert (found["epoch"], found["loss"], found["chosen"]) == (1, 2.5, True)
    assert found["expert_load"].tolist() == [0.25, 0.75]
    assert found[["gate_mean", "gate_spread"]].isna().all()
