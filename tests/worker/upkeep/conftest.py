"""Services that are not held up, and a MariaDB alone."""

from collections.abc import Iterator

import pytest

from outbox.database import Database, Engines
from tests.services import create_database, drop_database
from tests.wiki_tables import make_tables
from tests.worker.conftest import BuildServices
from worker.bootstrap import Services


@pytest.fixture
def services(services_for: BuildServices) -> Services:
    """Services of one wiki, enwiki, that are not held up by the rate of requests."""
    return services_for(endpoint={"requests_per_second": 10_000})


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Database]:
    """A MariaDB of a test's own, for two transactions that write at once; SQLite lets in one at a time."""
    engines = Engines()
    database = engines.open("enwiki", create_database(mariadb_url, "upkeep_on_mariadb"))
    make_tables(database)
    yield database
    engines.close()
    drop_database(mariadb_url, "upkeep_on_mariadb")
