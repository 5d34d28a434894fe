"""The provenance that stands in every file of ours: JSON with a seal, bent and damaged."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daitir.errors import DaitirError
from daitir.seals import seal, unseal

from .malformed import EDITS, bent, damage, ends_well

RECORD = {
    "stage": "test",
    "options": {"model": "tiny", "steps": 3},
    "inputs": {"queries": "0"},
    "versions": {},
}
SEALED = seal(RECORD, Path("results/a.h5"), "0123")


@given(data=st.data())
def test_a_malformed_provenance_is_refused_or_what_it_was(data):
    """No letter of it changes unseen."""
    text = data.draw(
        bent(json.loads(SEALED)).map(json.dumps) | EDITS.map(lambda edits: damage(SEALED.encode(), edits))
    )
    found = ends_well(unseal, text, Path("results/a.h5"))
    assert found is None or (found.record, found.content) == (RECORD, "0123")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' + "[" * 5000 + "]" * 5000 + "}", '{"a":1e999}', '{"a":NaN}']
)
def test_a_provenance_that_nobody_can_write_is_refused(text):
    """Depths and numbers that are no JSON."""
    with pytest.raises(DaitirError):
        unseal(text, Path("a.h5"))
