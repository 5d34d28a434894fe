"""Options of the tests."""

from pathlib import Path

import pytest

from tests.faults.ledger import write_page


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the page that the tests of faults write."""
    parser.addoption("--reliability", type=Path, help="write what came of the injected faults to this page")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page when all tests have passed."""
    page = session.config.getoption("--reliability")
    if page is not None and exitstatus == 0:
        write_page(page)
