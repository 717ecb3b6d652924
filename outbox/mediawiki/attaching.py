"""Attaching to a wiki that exists: a trigger on its table `revision` promises every revision that is saved.

It is the only place that is atomic with the edit: MediaWiki writes recentchanges and its jobs in transactions of their
own, after the edit's COMMIT (includes/Storage/PageUpdater.php `doModify` and includes/recentchanges/RecentChange.php
`notifyEdit`, REL1_39). The trigger writes no more than what is in the new row, so that it reads nothing and waits for
nobody. If it can't write the message, the edit fails: no edit without its promise.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text

from outbox.errors import DatabaseRefuses
from outbox.ownership import schema_of
from outbox.tables import EDITS

TRIGGER = "outpatrol_revision"
TABLE = "revision"

#: What the trigger does for each row, as the database keeps it. The name of a wiki has only letters that JSON and SQL
#: leave alone.
_ON_MARIADB = """INSERT INTO {lane} (payload) VALUES (CONCAT('{{"wiki":"{wiki}","revision":', NEW.rev_id, \
',"saved_at":"', REPLACE(UTC_TIMESTAMP(), ' ', 'T'), 'Z"}}'))"""
_ON_SQLITE = """INSERT INTO {lane} (payload) VALUES ('{{"wiki":"{wiki}","revision":' || NEW.rev_id || \
',"saved_at":"' || strftime('%Y-%m-%dT%H:%M:%SZ', 'now') || '"}}')"""

_QUICKLY = "SET STATEMENT lock_wait_timeout = 1 FOR"


def attach(connection: Connection, wiki: str) -> bool:
    """Make the trigger for *wiki*; False, and no lock is taken, if it is there and has the rights of our account.

    One of another account is made anew: if that account is dropped, no edit can be saved. MariaDB commits before and
    after it. While it waits for edits under way all others wait as well, so it gives up after a second.

    Raises:
        DatabaseRefuses: the table is one in which an edit can stay without its promise.
        sqlalchemy.exc.DBAPIError: the table is in use for longer, or our account may make no triggers there.
    """
    body, found = _body(connection, wiki), _found(connection, wiki)
    if any(each.is_of_our_account and _promises(each, body) for each in found):
        return False
    _must_be_transactional(connection)
    _drop(connection, found)
    name, table = _named(connection, TRIGGER), _named(connection, TABLE)
    if _is_sqlite(connection):
        connection.exec_driver_sql(f"CREATE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW BEGIN {body}; END")
    else:
        connection.exec_driver_sql(
            f"{_QUICKLY} CREATE OR REPLACE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW {body}"
        )
    return True


def detach(connection: Connection, wiki: str) -> bool:
    """Remove the trigger for *wiki*; False if there is none. What it promised stays promised.

    Raises:
        sqlalchemy.exc.DBAPIError: as `attach` does.
    """
    found = _found(connection, wiki)
    _drop(connection, found)
    return bool(found)


def is_attached(connection: Connection, wiki: str) -> bool:
    """Whether the trigger is there, and is the one that this version makes for *wiki*: one statement.

    MediaWiki knows nothing of it: an update that makes the table anew loses it, or leaves it at the old table.
    """
    body = _body(connection, wiki)
    return any(_promises(each, body) for each in _found(connection, wiki))


class _Found(NamedTuple):
    name: str
    table: str
    #: Whether it runs after each INSERT.
    is_after_insert: bool
    #: What it does, as the database keeps it; None if our account may not see it.
    statement: str | None
    #: It has the rights of the account that made it.
    is_of_our_account: bool


def _found(connection: Connection, wiki: str) -> list[_Found]:
    """The triggers that have our name, or do what ours does: tools that copy a table give its triggers other names."""
    if _is_sqlite(connection):
        asked = "SELECT name, tbl_name, 1, sql, 1 FROM sqlite_master WHERE type = 'trigger' AND name = :name"
        values: dict[str, str | None] = {"name": TRIGGER}
    else:
        asked = """
        SELECT trigger_name, event_object_table, action_timing = 'AFTER' AND event_manipulation = 'INSERT',
        action_statement, COALESCE(definer = CURRENT_USER(), 0) FROM information_schema.triggers
        WHERE trigger_schema = COALESCE(:schema, DATABASE()) AND (trigger_name = :name OR action_statement = :body)
        """
        values = {"schema": schema_of(connection), "name": TRIGGER, "body": _body(connection, wiki)}
    return [_Found(*row) for row in connection.execute(text(asked), values)]


def _promises(found: _Found, body: str) -> bool:
    # What can't be seen has at least our name.
    does = found.statement is None or body in found.statement
    return found.table == TABLE and bool(found.is_after_insert) and does


def _drop(connection: Connection, found: list[_Found]) -> None:
    quickly = "" if _is_sqlite(connection) else _QUICKLY
    for each in found:
        connection.exec_driver_sql(f"{quickly} DROP TRIGGER {_named(connection, each.name)}")


def _must_be_transactional(connection: Connection) -> None:
    if _is_sqlite(connection):
        return
    asked = """
    SELECT engine FROM information_schema.tables
    WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :table
    """
    engine = connection.execute(text(asked), {"schema": schema_of(connection), "table": TABLE}).scalar()
    if engine not in {None, "InnoDB"}:
        raise DatabaseRefuses(
            f"the table {TABLE} is of the engine {engine}, in which an edit stays though its promise fails; "
            f"ALTER TABLE {TABLE} ENGINE = InnoDB, as MediaWiki makes it"
        )


def _named(connection: Connection, name: str) -> str:
    """*name* in the wiki's own database, which need not be the connection's."""
    schema = schema_of(connection)
    quote = connection.dialect.identifier_preparer.quote
    return quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"


def _body(connection: Connection, wiki: str) -> str:
    return (_ON_SQLITE if _is_sqlite(connection) else _ON_MARIADB).format(lane=EDITS.name, wiki=wiki)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
