"""Looking at a schema from outside: through a connection whose default database is the wiki's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, RowMapping, create_engine, inspect, text

from outbox.database import Database

Found = TypeVar("Found")


@contextmanager
def connected(database: Database) -> Iterator[Connection]:
    engine = create_engine(database.url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def run(database: Database, *statements: str) -> None:
    with connected(database) as connection:
        for statement in statements:
            connection.execute(text(statement))


def query(database: Database, statement: str) -> list[RowMapping]:
    with connected(database) as connection:
        return list(connection.execute(text(statement)).mappings())


def tables(database: Database) -> set[str]:
    return looked_up(database, lambda inspector: set(inspector.get_table_names()))


def views(database: Database) -> set[str]:
    return looked_up(database, lambda inspector: set(inspector.get_view_names()))


def looked_up(database: Database, look: Callable[[Any], Found]) -> Found:
    with connected(database) as connection:
        return look(inspect(connection))


def schema(database: Database) -> dict[str, Any]:
    """All that the database tells about its tables and views, comparable."""

    def look(inspector: Any) -> dict[str, Any]:
        return {
            name: {
                "columns": [
                    {key: str(value) for key, value in column.items()} for column in inspector.get_columns(name)
                ],
                "indexes": sorted(map(str, inspector.get_indexes(name))),
                "unique": sorted(map(str, inspector.get_unique_constraints(name))),
                "checks": sorted(map(str, inspector.get_check_constraints(name))),
                "key": inspector.get_pk_constraint(name),
            }
            for name in sorted(inspector.get_table_names())
        } | {
            name: {"columns": [column["name"] for column in inspector.get_columns(name)]}
            for name in sorted(inspector.get_view_names())
        }

    return looked_up(database, look)
