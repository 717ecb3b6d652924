"""A Kafka for the tests of its sink, and a day that lasts as long as a test of the file sink."""

from collections.abc import Iterator

import pytest

from tests.worker.sinks.appending import long_day
from tests.worker.sinks.broker import Broker, mock_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A mock cluster for the whole module; tests use topics of their own."""
    with mock_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _one_day() -> Iterator[None]:
    with long_day():
        yield
