"""What a check finds: one thing that a run needs, and whether it is there."""

from dataclasses import dataclass
from typing import Literal

State = Literal["there", "made", "download", "note", "missing"]
STATES: dict[State, str] = {
    "there": "there",
    "made": "snakemake makes it",
    "download": "to download",
    "note": "note",
    "missing": "MISSING",
}


@dataclass(frozen=True)
class Finding:
    """One thing that a run needs.

    ``section`` is the table it stands in (models, data, machine), ``key`` the place in the config that asks
    for it, ``subject`` the thing itself: a path, a hub id, a variable's name.
    """

    section: str
    key: str
    subject: str
    state: State
    detail: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether a run would stop for it."""
        return self.state == "missing"
