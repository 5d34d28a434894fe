"""What is done to good files and values, and how a reader may end that is given the outcome."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from daitir.errors import DaitirError
from tests.faults.ledger import record

LONGEST_LINE = 2000
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, -0.0])
NAMES = st.sampled_from(
    [
        "",
        " ",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "..\\b",
        "C:\\b",
        "a\0b",
        "\ud800",
        "é",
        "é",
    ]
) | st.text(max_size=12)
SCALARS = st.none() | st.booleans() | NUMBERS | NAMES
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


def ends_well(read: Callable[..., Any], *arguments: Any, lines: int = 1) -> Any:
    """Return what a reader reads, or None where it refuses in one line; anything else fails the test."""
    record("a malformed file, config or answer")
    try:
        return read(*arguments)
    except DaitirError as error:
        said = str(error)
        assert said.strip(), "a refusal says nothing"
        assert len(said.splitlines()) <= lines, said
        assert len(said) < LONGEST_LINE * lines, said
        return None


WAYS = ("flip", "flip", "write", "cut", "insert", "repeat", "zero", "end")
LENGTHS = (1, 2, 4, 8, 64, 512)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(WAYS),
        st.integers(0, 2**16 - 1),
        st.sampled_from(LENGTHS),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=3,
)


def damage(data: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    """Return bytes after some edits: flipped, overwritten, cut out, put in, repeated, cut off.

    An edit says what, where (in parts of 65536 of the whole), how many bytes, and with which bytes.
    """
    found = bytearray(data)
    for what, place, length, new in edits:
        at = place * len(found) >> 16
        if what == "flip" and found:
            found[at] ^= 1 << new[0] % 8
        elif what == "write":
            found[at : at + len(new)] = new
        elif what == "cut":
            del found[at : at + length]
        elif what == "insert":
            found[at:at] = new * length
        elif what == "repeat":
            found[at:at] = found[at : at + length]
        elif what == "zero":
            found[at : at + length] = bytes(len(found[at : at + length]))
        elif what == "end":
            del found[at:]
    return bytes(found)


@st.composite
def bent(draw: st.DrawFn, value: Any, edits: int = 3) -> Any:
    """Return a copy of a value of JSON with some keys and values inside it changed, lost, renamed or new."""
    found = deepcopy(value)
    for _ in range(draw(st.integers(1, edits))):
        place = draw(st.sampled_from(list(_containers(found)) or [None]))
        if place is None:
            return draw(VALUES)
        _bend(draw, place)
    return found


def _containers(value: Any) -> Any:
    """Yield every list and mapping inside a value."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _bend(draw: st.DrawFn, place: Any) -> None:
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    what = draw(st.sampled_from(["set", "set", "set", "lose", "add", "move"])) if keys else "add"
    if what == "add":
        place.__setitem__(draw(NAMES), draw(VALUES)) if isinstance(place, dict) else place.append(
            draw(VALUES)
        )
        return
    key = draw(st.sampled_from(keys))
    if what == "set":
        place[key] = draw(VALUES)
    elif what == "lose":
        del place[key]
    elif isinstance(place, dict):
        place[draw(NAMES)] = place.pop(key)
    else:
        place.append(deepcopy(place[key]))


def as_json(value: Any) -> bytes:
    """Return a value as JSON's bytes, half characters written as escapes."""
    return json.dumps(value).encode()
