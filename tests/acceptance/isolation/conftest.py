"""Databases for sets of processes that several tests share."""

import itertools
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import NewDatabase
from tests.services import create_database, drop_database

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def databases_on_mariadb(mariadb_url: str) -> Iterator[NewDatabase]:
    """Makes empty MariaDB databases, and drops them when the module has ended."""
    made = []

    def new(wiki: str) -> str:
        made.append(f"isolation_{next(_numbers)}_{wiki}")
        return create_database(mariadb_url, made[-1])

    yield new
    for name in made:
        drop_database(mariadb_url, name)
