"""Attaching to a wiki that exists: a trigger on its table `revision` promises every revision that is saved.

It is the only place that is atomic with the edit: MediaWiki writes recentchanges and its jobs in transactions of their
own, after the edit's COMMIT (includes/Storage/PageUpdater.php `doModify` and includes/recentchanges/RecentChange.php
`notifyEdit`, REL1_39). The trigger writes no more than what is in the new row, so that it reads nothing and waits for
nobody. If it can't write the message, the edit fails: no edit without its promise.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text

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
        sqlalchemy.exc.DBAPIError: the table is in use for longer, or our account may make no triggers there.
    """
    found = _found(connection)
    if found is not None and found.is_of_our_account and _body(connection, wiki) in found.statement:
        return False
    name, table, body = _named(connection, TRIGGER), _named(connection, TABLE), _body(connection, wiki)
    if _is_sqlite(connection):
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW BEGIN {body}; END")
    else:
        connection.exec_driver_sql(
            f"{_QUICKLY} CREATE OR REPLACE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW {body}"
        )
    return True


def detach(connection: Connection) -> bool:
    """Remove the trigger; False if there is none. What it promised stays promised.

    Raises:
        sqlalchemy.exc.DBAPIError: as `attach` does.
    """
    if _found(connection) is None:
        return False
    quickly = "" if _is_sqlite(connection) else _QUICKLY
    connection.exec_driver_sql(f"{quickly} DROP TRIGGER {_named(connection, TRIGGER)}")
    return True


def is_attached(connection: Connection, wiki: str) -> bool:
    """Whether the trigger is there, and is the one that this version makes for *wiki*: one statement.

    MediaWiki knows nothing of it: an update that makes the table anew loses it.
    """
    found = _found(connection)
    return found is not None and _body(connection, wiki) in found.statement


class _Found(NamedTuple):
    #: What the trigger does, as the database keeps it.
    statement: str
    #: It has the rights of the account that made it.
    is_of_our_account: bool


def _found(connection: Connection) -> _Found | None:
    if _is_sqlite(connection):
        asked = "SELECT sql, 1 FROM sqlite_master WHERE type = 'trigger' AND name = :trigger AND tbl_name = :table"
        values = {}
    else:
        asked = """
        SELECT action_statement, definer = CURRENT_USER() FROM information_schema.triggers
        WHERE event_object_schema = COALESCE(:schema, DATABASE()) AND event_object_table = :table
        AND trigger_name = :trigger AND action_timing = 'AFTER' AND event_manipulation = 'INSERT'
        """
        values = {"schema": schema_of(connection)}
    row = connection.execute(text(asked), {"trigger": TRIGGER, "table": TABLE} | values).first()
    return None if row is None else _Found(row[0], bool(row[1]))


def _named(connection: Connection, name: str) -> str:
    """*name* in the wiki's own database, which need not be the connection's."""
    schema = schema_of(connection)
    return name if schema is None else f"{connection.dialect.identifier_preparer.quote_schema(schema)}.{name}"


def _body(connection: Connection, wiki: str) -> str:
    return (_ON_SQLITE if _is_sqlite(connection) else _ON_MARIADB).format(lane=EDITS.name, wiki=wiki)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
