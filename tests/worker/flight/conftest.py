"""A Redis that a test may stop and start again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.flight.own_redis import OwnRedis
from worker.demo.processes import Processes


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A running Redis of the test's own."""
    with Processes(tmp_path) as processes:
        redis = OwnRedis(processes)
        redis.start()
        yield redis
