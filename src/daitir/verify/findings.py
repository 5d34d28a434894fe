"""What a check of results finds, and what each kind of it means."""

from dataclasses import dataclass
from typing import Literal

State = Literal["damaged", "mixed", "incomplete", "outdated", "missing", "leftover", "stranger"]
MEANING: dict[State, str] = {
    "damaged": "not what was written",
    "mixed": "made from other files than lie there now",
    "incomplete": "lacks or repeats what the config asks for",
    "outdated": "made with other options than the config gives now",
    "missing": "not made yet",
    "leftover": "of a job that has not finished",
    "stranger": "of no component of this config",
}
WRONG: frozenset[State] = frozenset({"damaged", "mixed", "incomplete"})
LEFT: frozenset[State] = frozenset({"outdated", "missing"})


@dataclass(frozen=True)
class Finding:
    """One file that is not as it should be, the rule that makes it, and what is wrong with it."""

    state: State
    path: str
    rule: str
    detail: str = ""
