"""A new, empty database for each test of the migrations, and accounts that may do less there than its owner."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from outbox.database import Database, Engines
from tests.conftest import BACKENDS
from tests.migrations.schemas import run
from tests.services import MARIADB_VARIABLE, create_database, drop_database

NAME = "migrations"
Account = Callable[..., Database]


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


@pytest.fixture
def account(empty_mariadb: Database, mariadb_url: str) -> Iterator[Account]:
    """`account("SELECT", on="outpatrol_score")`: the empty database as an account sees it that may do just that."""
    is_given = MARIADB_VARIABLE in os.environ
    server = make_url(mariadb_url) if is_given else make_url(mariadb_url).set(username="root", password="")
    engines = Engines()
    name = empty_mariadb.url.database
    administrator = engines.open("enwiki", server.set(database=name).render_as_string(hide_password=False))
    modest = server.set(username="modest", password="modest", database=name)

    def grant(rights: str, *, on: str = "*") -> Database:
        run(administrator, f"GRANT {rights} ON `{name}`.{on} TO modest@'127.0.0.1'")
        return engines.open("enwiki", modest.render_as_string(hide_password=False))

    run(administrator, "CREATE OR REPLACE USER modest@'127.0.0.1' IDENTIFIED BY 'modest'")
    yield grant
    run(administrator, "DROP USER modest@'127.0.0.1'")
    engines.close()
