"""Hypothesis tries the same examples on every machine and keeps no files."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("ci")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of this module; each example writes over the last one's file."""
    return tmp_path_factory.mktemp("malformed")
