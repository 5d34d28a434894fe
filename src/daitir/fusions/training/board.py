"""TensorBoard: the history of a training, shown while it goes on; the package is not among ours."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from daitir.errors import DaitirError

NAMES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "scale": "train/scale",
    "recall_at_10": "held_out/recall_at_10",
    "hits_at_10": "held_out/hits_at_10",
    "mrr": "held_out/mrr",
    "gate_mean": "gate/mean",
    "gate_spread": "gate/spread",
}


Row = dict[str, Any]


class Writer(Protocol):
    """What TensorBoard's writer can do, as far as it is needed here."""

    def add_scalar(self, name: str, value: float, epoch: int) -> None:
        """Note one value."""

    def flush(self) -> None:
        """Let a watching TensorBoard see what was noted."""


@contextmanager
def board_for(folder: Path | None, history: list[Row]) -> Iterator[Callable[[Row], None]]:
    """Yield what shows an epoch: to TensorBoard in ``folder``, or to nobody where there is none.

    The folder is written anew with the epochs that ``history`` has already, so that a training that was
    killed is shown once.
    """
    if folder is None:
        yield lambda row: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise DaitirError(
            "train.tensorboard: the package tensorboard is not there: pip install tensorboard or drop it"
        ) from None
    shutil.rmtree(folder, ignore_errors=True)
    with SummaryWriter(folder) as writer:
        for row in history:
            show(writer, row)
        yield lambda row: show(writer, row)


def show(writer: Writer, row: Row) -> None:
    """Note the values of one epoch, those that it has."""
    for key, name in NAMES.items():
        if row.get(key) is not None:
            writer.add_scalar(name, row[key], row["epoch"])
    for expert, load in enumerate(row["expert_load"] or ()):
        writer.add_scalar(f"experts/{expert}", load, row["epoch"])
    writer.flush()
