"""A MariaDB alone, for what SQLite can't do: two transactions that write at once, and plans with types of access."""

from collections.abc import Iterator

import pytest

from outbox.database import Database, Engines
from tests.services import create_database, drop_database
from tests.wiki_tables import empty_tables, make_tables


@pytest.fixture(scope="session")
def _migrated_mariadb(mariadb_url: str) -> Iterator[Database]:
    engines = Engines()
    database = engines.open("enwiki", create_database(mariadb_url, "outbox_on_mariadb"))
    make_tables(database)
    yield database
    engines.close()
    drop_database(mariadb_url, "outbox_on_mariadb")


@pytest.fixture
def mariadb(_migrated_mariadb: Database) -> Database:
    """A migrated MariaDB database with empty lanes."""
    empty_tables(_migrated_mariadb)
    return _migrated_mariadb
