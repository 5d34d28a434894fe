"""How the tests are shared between processes (`pytest -n 2`)."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep together what shares something dear: the tests of a file, and those that look at one finished run.

    Other tests of whole runs are apart, for each takes a minute or more.
    """
    for item in items:
        if "finished" in item.fixturenames:
            group = "finished"
        else:
            group = item.nodeid if "workflow" in item.path.parts else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
