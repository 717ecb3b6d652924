"""Services that are not held up."""

import pytest

from tests.worker.conftest import BuildServices
from worker.bootstrap import Services


@pytest.fixture
def services(services_for: BuildServices) -> Services:
    """Services of one wiki, enwiki, that are not held up by the rate of requests."""
    return services_for()
