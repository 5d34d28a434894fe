"""How the tests are shared between processes (`pytest -n 2`), and the page that the tests of faults write."""

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares something dear: the tests of a file, and those that look at one finished run.

    Other tests of whole runs are apart, for each takes a minute or more.
    """
    for item in items:
        if "finished" in getattr(item, "fixturenames", ()):
            group = "finished"
        else:
            group = item.nodeid if "workflow" in item.path.parts else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
