"""How the tests are shared between processes (`pytest -n 2`), and the page that the tests of faults write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.ledger import write_page

LONGEST = ("cluster", "workflow", "faults")  # folders of tests, those with the longest ones first


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the page that the tests of faults write."""
    parser.addoption("--reliability", type=Path, help="write what came of the injected faults to this page")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page when all tests have passed."""
    page = session.config.getoption("--reliability")
    if page is not None and exitstatus == 0:
        write_page(page)


@pytest.hookimpl(wrapper=True)  # before all others: xdist reads the groups as early as it can
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Keep together what shares something dear: a cluster, a finished run, the files of a module.

    What takes minutes begins first, so that no process waits for another at the end.
    """
    items.sort(key=_turn)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    return (yield)


def _turn(item: pytest.Item) -> int:
    places = [LONGEST.index(folder) for folder in item.path.parts if folder in LONGEST]
    return min(places, default=len(LONGEST))


def _group(item: pytest.Item) -> str:
    """Return what a test shares; whole runs of its own, each a minute or more, share nothing."""
    fixtures = getattr(item, "fixturenames", ())
    if "slurm" in fixtures:
        return "slurm"
    if "finished" in fixtures:
        return "finished"
    is_apart = "workflow" in item.path.parts and "published" not in fixtures
    return item.nodeid if is_apart else item.nodeid.split("::")[0]
