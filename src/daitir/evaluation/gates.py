"""How a fusion weighs text against image: its gate by how well the two agree (ADaFuSE, Figure 4)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

BINS = 10


def gate_by_similarity(dialogues: str, system: str, frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows (tenth of the queries by cos(text, image)): mean similarity, mean gate, and its middle 80 %.

    A system without a gate or without images has no rows, and neither has one whose weights are a schedule,
    the same for all queries of a round.
    """
    known = frame[frame["gate"].notna() & frame["similarity"].notna()]
    if known.empty or known.groupby(["seed", "round"])["gate"].nunique().max() == 1:
        return
    ordered = known.sort_values("similarity", kind="stable")[["similarity", "gate"]].to_numpy(
        dtype=np.float64
    )
    for tenth, rows in enumerate(
        np.array_split(ordered, min(BINS, len(ordered))) if len(ordered) else [], start=1
    ):
        low, high = np.quantile(rows[:, 1], [0.1, 0.9])
        yield {
            "dialogues": dialogues,
            "system": system,
            "tenth": tenth,
            "similarity": rows[:, 0].mean(),
            "gate": rows[:, 1].mean(),
            "gate_q10": low,
            "gate_q90": high,
            "queries": len(rows),
        }
