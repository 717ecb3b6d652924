"""The module's database with nothing under way, and a Redis that a test may stop and start again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outbox.database import Database
from tests.worker.flight.own_redis import OwnRedis
from worker.demo.processes import Processes
from worker.flight.tables import score_flight


@pytest.fixture
def database(database: Database) -> Database:
    """The module's database, where nobody has asked for any score."""
    with database.transaction() as session:
        session.execute(score_flight.delete())
    return database


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A running Redis of the test's own."""
    with Processes(tmp_path) as processes:
        redis = OwnRedis(processes)
        redis.start()
        yield redis
