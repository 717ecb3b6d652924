"""Writing rows: only those that are missing, or many past SQLAlchemy's compiler, which takes as long as the server."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table


def insert_if_missing(table: Table) -> Insert:
    """An INSERT into *table* that leaves a row alone if it exists already."""
    return (
        table.insert()
        .prefix_with("IGNORE", dialect="mysql")
        .prefix_with("IGNORE", dialect="mariadb")
        .prefix_with("OR IGNORE", dialect="sqlite")
    )


def insert_rows(
    connection: Connection, insert: Insert, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Write *rows*, which have values for *columns*, in one statement; nothing without rows. Does not commit.

    *insert* is the same object at each call: its text is made once for each driver and schema. The driver gets the
    values as they are, so each must be one that it knows.

    Raises:
        ValueError: *columns* are not in the order in which the table has them.
    """
    if not rows:
        return
    schemas = connection.get_execution_options().get("schema_translate_map") or {}
    text, is_positional = _compiled(insert, columns, connection.dialect, frozenset(schemas.items()))
    values: list[Any] = list(rows) if is_positional else [dict(zip(columns, row, strict=True)) for row in rows]
    connection.exec_driver_sql(text, values if len(values) > 1 else values[0])


@lru_cache(maxsize=10_000)
def _compiled(
    insert: Insert, columns: tuple[str, ...], dialect: Dialect, schemas: frozenset[tuple[str | None, str | None]]
) -> tuple[str, bool]:
    """The statement in the words of that driver, and whether it takes its parameters by their positions.

    Only placeholders are among its values: the driver sends a single INSERT for many rows only then.
    """
    compiled = insert.compile(
        dialect=dialect,
        column_keys=list(columns),
        schema_translate_map=dict(schemas),
        render_schema_translate=True,
    )
    in_order = tuple(column.name for column in insert.table.columns if column.name in columns)
    if in_order != columns:
        raise ValueError(f"{columns} are not in the order of the table: {in_order}")
    text = str(compiled)
    if dialect.driver != "pymysql":
        return text, bool(compiled.positional)
    # It takes values by name and by place, and the latter are made faster.
    for column in columns:
        text = text.replace(f"%({column})s", "%s")
    return text, True
