"""A new, empty database for each test of the migrations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outbox.database import Database, Engines
from tests.conftest import BACKENDS
from tests.services import create_database, drop_database

NAME = "migrations"


@pytest.fixture
def empty_mariadb(mariadb_url: str) -> Iterator[Database]:
    engines = Engines()
    yield engines.open("enwiki", create_database(mariadb_url, NAME))
    engines.close()
    drop_database(mariadb_url, NAME)


@pytest.fixture
def empty_sqlite(tmp_path: Path) -> Iterator[Database]:
    engines = Engines()
    yield engines.open("enwiki", f"sqlite:///{tmp_path / 'enwiki.db'}")
    engines.close()


@pytest.fixture(params=BACKENDS)
def empty_database(request: pytest.FixtureRequest) -> Database:
    """An empty database, once on SQLite and once on MariaDB."""
    database: Database = request.getfixturevalue(f"empty_{request.param}")
    return database
