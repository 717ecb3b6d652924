"""Services that are not held up, and there may be a second sink."""

import pytest

from tests.eventgate import EmulatedEventGate
from tests.worker.conftest import BuildServices
from worker.bootstrap import Services


@pytest.fixture
def services(services_for: BuildServices) -> Services:
    """Services of one wiki, enwiki, that are not held up by the rate of requests; its events go to files."""
    return services_for()


@pytest.fixture
def to_eventgate(services_for: BuildServices, eventgate: EmulatedEventGate) -> Services:
    """The same, but events go to the emulated EventGate."""
    return services_for(sinks={"eventgate": {"url": eventgate.url}})


@pytest.fixture
def to_both(services_for: BuildServices, eventgate: EmulatedEventGate, services: Services) -> Services:
    """The same, but events go to the files and to the emulated EventGate."""
    sinks = services.settings.sinks.model_dump(exclude_none=True) | {"eventgate": {"url": eventgate.url}}
    return services_for(sinks=sinks)
