"""A MariaDB alone, for what SQLite can't do: two transactions that write at once, and plans with types of access."""

from collections.abc import Iterator

import pytest

from outbox.database import Database
from tests.wiki_tables import empty_tables, made_on_mariadb


@pytest.fixture(scope="session")
def _migrated_mariadb(mariadb_url: str) -> Iterator[Database]:
    with made_on_mariadb(mariadb_url, "outbox_on_mariadb") as database:
        yield database


@pytest.fixture
def mariadb(_migrated_mariadb: Database) -> Database:
    """A migrated MariaDB database with empty lanes."""
    empty_tables(_migrated_mariadb)
    return _migrated_mariadb
