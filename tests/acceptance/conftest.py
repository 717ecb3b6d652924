"""A database of its own for each test, on both kinds of server."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import BACKENDS
from tests.services import create_database, drop_database

#: Returns the URL of an empty database for the wiki of that name.
NewDatabase = Callable[[str], str]
_numbers = itertools.count(1)


@pytest.fixture
def mariadb_databases(mariadb_url: str) -> Iterator[NewDatabase]:
    """Makes empty MariaDB databases, and drops them at the end."""
    made = []

    def new(wiki: str) -> str:
        name = f"acceptance_{next(_numbers)}_{wiki}"
        made.append(name)
        return create_database(mariadb_url, name)

    yield new
    for name in made:
        drop_database(mariadb_url, name)


@pytest.fixture
def sqlite_databases(tmp_path: Path) -> NewDatabase:
    """Makes empty SQLite databases."""
    return lambda wiki: f"sqlite:///{tmp_path / wiki}.db"


@pytest.fixture(params=BACKENDS)
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Runs the test once on SQLite and once on MariaDB."""
    databases: NewDatabase = request.getfixturevalue(f"{request.param}_databases")
    return databases
