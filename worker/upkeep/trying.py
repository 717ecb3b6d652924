"""Tries, before the first edit, what every turn does: some wrong settings of a server show only at the first write."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from uuid import uuid4

from sqlalchemy import Connection, Table, delete, false, func, insert, select, text, update

from outbox.columns import BY_KEY
from outbox.database import Database
from outbox.errors import OutboxError
from outbox.tables import metadata
from worker.scores.tables import ORES_TABLES

#: Bytes that a packet must hold: events with many models and long titles have some kilobytes, and a turn writes many at
#: once.
SMALLEST_PACKET = 1024 * 1024
PAYLOAD = "{}"
#: Files that a server opens besides tables and connections, as MariaDB itself counts them, and some more.
SPARE_FILES = 100


class _RolledBack(Exception):
    """Raised to roll back what was tried."""


def try_writing(database: Database) -> None:
    """Write to every table to which a turn writes, in the same way; all is rolled back, and nobody sees it.

    Raises:
        OutboxError: the database does not allow it; one sentence with the cure.
        SQLAlchemyError: the same, with an error for which there is no sentence yet.
    """
    with suppress(_RolledBack), database.transaction() as connection:
        for table in _written():
            _try_without_rows(connection, table)
            if "lease_token" in table.c:
                _try_message(connection, table)
        raise _RolledBack


def same_database(database: Database, others: Sequence[Database]) -> Database | None:
    """The one of *others* that is *database* under another name of its server; asks only where the names are equal.

    Settings can't show it: no name server is asked there, and a socket looks like a server of its own. Only servers are
    asked that answer.
    """
    for other in others:
        is_namesake = database.schema and other.schema and database.schema.casefold() == other.schema.casefold()
        if is_namesake and database.server is not other.server:
            with suppress(OutboxError):
                if _is_one_server(database, other):
                    return other
    return None


def _is_one_server(one: Database, other: Database) -> bool:
    """Whether *other* sees a lock that *one* holds."""
    name = f"outpatrol {uuid4().hex}"
    with one.reading() as holding:
        holding.execute(select(func.get_lock(name, 0)))
        try:
            with other.reading() as asking:
                return asking.execute(select(func.is_used_lock(name))).scalar_one() is not None
        finally:
            holding.execute(select(func.release_lock(name)))


def small_packets(database: Database) -> str | None:
    """A sentence if the server's largest packet is too small for some events and batches."""
    if database.server.is_sqlite:
        return None
    with database.reading() as connection:
        limit = int(connection.execute(text("SELECT @@max_allowed_packet")).scalar_one())
    if limit >= SMALLEST_PACKET:
        return None
    return (
        f"{database.wiki}: the database {database.shown_url} takes packets of {limit:,} bytes only; raise its "
        "max_allowed_packet to 64M, since anything larger ends as a dead letter"
    )


def small_table_cache(databases: Sequence[Database], tables: int) -> str | None:
    """A sentence if the server on which all *databases* are closes tables between two polls.

    *tables* are those that a poll opens for each wiki. Turns, and polls of other processes, need as many again.
    """
    server = databases[0].server
    if server.is_sqlite:
        return None
    with databases[0].reading() as connection:
        asked = text("SELECT @@table_open_cache, @@open_files_limit, @@max_connections")
        limit, files, connections = connection.execute(asked).one()
    cures = cures_of_tables(tables * len(databases), limit=limit, files=files, connections=connections)
    if not cures:
        return None
    return (
        f"the server {server.name} keeps {limit:,} tables open, and a poll of its wikis opens "
        f"{tables * len(databases):,}; raise its {' and its '.join(cures)}, since a poll takes most of its "
        "time to open tables"
    )


def cures_of_tables(opened: int, *, limit: int, files: int, connections: int) -> list[str]:
    """What to raise on a server that keeps *limit* tables open, *opened* of which a poll needs. Pure.

    A server that may open too few *files* for that and its *connections* lowers table_open_cache when it starts.
    """
    needed = 2 * opened
    if limit >= needed:
        return []
    of_files = 2 * needed + connections + SPARE_FILES
    return [f"table_open_cache to {needed:,}", *([f"open_files_limit to {of_files:,}"] if files < of_files else [])]


def _written() -> Collection[Table]:
    ours = [*metadata.tables.values(), *ORES_TABLES]
    return sorted(ours, key=lambda table: table.name)


def _try_without_rows(connection: Connection, table: Table) -> None:
    """A condition that no row meets; rights and modes are checked all the same."""
    nothing = select(table).where(false())
    connection.execute(insert(table).from_select([column.name for column in table.columns], nothing))
    connection.execute(delete(table).where(false()))


def _try_message(connection: Connection, messages: Table) -> None:
    new = insert(messages).values(payload=PAYLOAD).returning(messages.c.id)
    is_it = messages.c.id == connection.execute(new).scalar_one()
    connection.execute(update(messages).where(is_it).values(attempt=1).execution_options(**BY_KEY))
    connection.execute(delete(messages).where(is_it).returning(messages.c.id).execution_options(**BY_KEY))
