"""docs/reliability.md says of every fault what came of it."""

from pathlib import Path

import pytest

from tests.faults.ledger import (
    COUNTS,
    LONG,
    OUTCOMES,
    PAGE,
    STAGES,
    counts_of,
    killed_any_time,
    killed_writing,
    record,
    write_page,
)

TESTS = Path(__file__).parents[1]


def test_the_page_has_a_row_for_each_fault(request):
    """As often as the tests injected it when the page was written, and with what happened."""
    if request.config.getoption("--reliability") is not None:
        return  # it is being written
    page = PAGE.read_text(encoding="utf-8")
    counts = counts_of(page)
    assert counts.keys() == OUTCOMES.keys()
    rows = {fault: f"| {fault} | {times:,} | {OUTCOMES[fault]} |" for fault, times in counts.items()}
    assert [row for row in rows.values() if row not in page] == []
    assert sum(times for fault, times in counts.items() if "kill -9" in fault) >= 50


def test_each_fault_is_injected_by_a_test():
    """Somewhere a test records it."""
    tests = "".join(file.read_text() for file in TESTS.rglob("*.py") if file.name != "ledger.py")
    of_kinds = {killed_writing(kind) for kind in STAGES} | {killed_any_time(kind) for kind in LONG}
    assert [fault for fault in OUTCOMES.keys() - of_kinds if f'"{fault}"' not in tests] == []


def test_tests_that_did_not_run_leave_their_rows(tmp_path, monkeypatch):
    """What is injected now is counted anew, the rest stays as it was."""
    first, second, *_ = OUTCOMES
    monkeypatch.setattr("tests.faults.ledger.COUNTS", COUNTS.__class__())
    page = tmp_path / "page.md"
    record(first, 1200)
    record(second)
    write_page(page)
    assert counts_of(page.read_text()) == {first: 1200, second: 1}
    monkeypatch.setattr("tests.faults.ledger.COUNTS", COUNTS.__class__({second: 5}))
    write_page(page)
    assert counts_of(page.read_text()) == {first: 1200, second: 5}


def test_an_unknown_fault_is_refused():
    """Every fault has a row with its outcome."""
    with pytest.raises(AssertionError, match="has no row"):
        record("the moon falls down")
