"""Which tables we made: the migrations leave a mark, and the columns must be ours as well.

A mark alone can be out of date: a dump of a MediaWiki that is loaded over an emulated wiki replaces the tables and
leaves the mark.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Column, Connection, String, Table, insert, inspect, literal_column, select
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from outbox.tables import UTF8, metadata

#: The tables of MediaWiki and Extension:ORES that our migrations made, and that are therefore not a real wiki's.
made_here = Table("outpatrol_own_table", metadata, Column("name", String(64), primary_key=True), **UTF8)

#: The name under which a connection of the pool remembers which tables were found to be ours.
KNOWN = "outpatrol_own_tables"


def are_ours(session: Session | Connection, tables: Collection[Table], checked: Collection[Table]) -> bool:
    """Whether all of *tables* are marked as made by us, and the columns of *checked* are those that we make.

    The first time on a connection to the server this costs a statement for the marks and one for each of *checked*. A
    "yes" is remembered as long as the connection lives, a "no" never.
    """
    connection = connection_of(session)
    known: set[tuple[str | None, ...]] = connection.info.setdefault(KNOWN, set())
    names = sorted(table.name for table in tables)
    here = (schema_of(connection), *names)
    if here not in known and set(names) <= marks(connection) and have_our_columns(connection, checked):
        known.add(here)
    return here in known


def marks(connection: Connection) -> set[str]:
    """The names of the tables that are marked as made by us."""
    return set(connection.execute(select(made_here.c.name)).scalars())


def have_our_columns(connection: Connection, tables: Collection[Table]) -> bool:
    """Whether *tables*, which exist, have our columns and no others: a statement each, which reads no row."""

    def names_of(table: Table) -> set[str]:
        return set(connection.execute(select(literal_column("*")).select_from(table).limit(0)).keys())

    return all(names_of(table) == {column.name for column in table.columns} for table in tables)


def make_missing(connection: Connection, tables: Iterable[Table]) -> None:
    """Make those of *tables* that do not exist, each marked as ours; finish one that was left half made."""
    inspector = inspect(connection)
    marked = marks(connection)
    for table in tables:
        is_there = inspector.has_table(table.name)
        # The mark comes first: MariaDB commits it no later than the table, so every table of ours has one.
        if not is_there and table.name not in marked:
            connection.execute(insert(made_here).values(name=table.name))
        if not is_there or table.name in marked:
            connection.execute(CreateTable(table, if_not_exists=True))
            # Sorted, since the order of a set differs from process to process.
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                index.create(connection, checkfirst=True)


def connection_of(session: Session | Connection) -> Connection:
    """The connection of *session*; a connection itself."""
    return session.connection() if isinstance(session, Session) else session


def schema_of(connection: Connection) -> str | None:
    """The database in which *connection* finds its tables; None for the connection's default."""
    translated = connection.get_execution_options().get("schema_translate_map") or {}
    schema: str | None = translated.get(None)
    return schema
