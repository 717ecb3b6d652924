"""Services for a test's own database, Redis and endpoint, closed when it ends."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from redis import Redis

from outbox.database import Database
from tests.builders import some_settings
from tests.endpoint import EmulatedEndpoint
from tests.wiki_tables import made_on_mariadb
from worker.bootstrap import Services, build_services


class BuildServices(Protocol):
    """Builds services; *settings* are those of `some_settings`, on top of the test's own servers."""

    def __call__(self, **settings: Any) -> Services: ...


@pytest.fixture
def services_for(
    database: Database, redis: Redis, redis_url: str, endpoint: EmulatedEndpoint, events_directory: Path
) -> Iterator[BuildServices]:
    """Builds services as a worker does."""
    with ExitStack() as stack:

        def build(**settings: Any) -> Services:
            here = {
                "database_url": database.url.render_as_string(hide_password=False),
                "redis_url": redis_url,
                "scoring_url": endpoint.url,
                "sinks": {"file": {"directory": events_directory}},
            }
            services = build_services(some_settings(**(here | settings)), send=lambda *_: None)
            stack.callback(services.close)
            return services

        yield build


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Database]:
    """A MariaDB of a test's own, for transactions that write at once; SQLite lets in one at a time."""
    with made_on_mariadb(mariadb_url, "at_once") as database:
        yield database


@pytest.fixture
def services(services_for: BuildServices) -> Services:
    """Services of one wiki, enwiki, with damaging and goodfaith of the emulated ORES."""
    return services_for()
