"""A wiki's tables: copied from a database that was migrated once a run, and emptied where something is in them.

What the migrations do is tested in `tests/migrations`, which runs them, and compares with them what is made here.
"""

import functools
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql
from pymysql.constants import CLIENT
from sqlalchemy import URL, text

from outbox.database import Database, Engines
from tests.patience import PATIENCE_SECONDS
from tests.services import create_database, drop_database
from worker.upkeep.migrating import migrate

NAME = "template"
#: More than any test has threads. With fewer places some would wait for others, and be refused where those stand still
#: for two seconds.
PLACES = 64


def patient_engines() -> Engines:
    """Engines that a machine that stands still for a while makes no trouble for."""
    return Engines(places=PLACES, seconds=PATIENCE_SECONDS)


def make_tables(database: Database) -> None:
    """Make in the empty *database* what `migrate` would make there."""
    if database.url.get_backend_name() == "sqlite":
        file = Path(str(database.url.database))
        assert not file.exists(), f"{file} is to be copied from the template, and is there already"
        file.write_bytes(_sqlite_template()[0])
        return
    with _connected(database.url) as connection, connection.cursor() as cursor:
        cursor.execute(_statements(database.url.set(database="")))
        while cursor.nextset():
            pass


@contextmanager
def made_on_mariadb(mariadb_url: str, name: str) -> Iterator[Database]:
    """A database of that *name* with all tables, until the end."""
    engines = patient_engines()
    database = engines.open("enwiki", create_database(mariadb_url, name))
    make_tables(database)
    yield database
    engines.close()
    drop_database(mariadb_url, name)


def empty_tables(database: Database) -> None:
    """Remove all rows that came after the migrations; costs one question where there are none."""
    schema = f"`{database.url.database}`." if database.url.get_backend_name() != "sqlite" else ""
    tables = [f"{schema}`{name}`" for name in _sqlite_template()[1]]
    asked = " UNION ALL ".join(f"SELECT '{table}' FROM (SELECT 1 FROM {table} LIMIT 1) AS some" for table in tables)
    with database.transaction() as session:
        for table in session.execute(text(asked)).scalars().all():
            session.execute(text(f"DELETE FROM {table}"))


@functools.cache
def _sqlite_template() -> tuple[bytes, list[str]]:
    """The file, and the tables into which the migrations put no rows."""
    with tempfile.TemporaryDirectory(prefix="outpatrol-template-") as directory:
        file = Path(directory) / "template.db"
        _migrate(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as connection:
            names = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite*'"
            )
            tables = [name for (name,) in names.fetchall()]
            empty = [name for name in tables if not connection.execute(f"SELECT 1 FROM `{name}`").fetchone()]
        return file.read_bytes(), empty


@functools.cache
def _statements(server: URL) -> str:
    """What makes the tables, their first rows and the views, all at once."""
    url = create_database(server.render_as_string(hide_password=False).rstrip("/"), NAME)
    try:
        _migrate(url)
        with _connected(server.set(database=url.rpartition("/")[2])) as connection, connection.cursor() as cursor:
            return ";".join(_looked_up(cursor))
    finally:
        drop_database(server.render_as_string(hide_password=False).rstrip("/"), NAME)


def _looked_up(cursor: "pymysql.cursors.Cursor") -> list[str]:
    cursor.execute("SHOW FULL TABLES")
    kinds = dict(cursor.fetchall())
    made, filled, views = [], [], []
    for name, kind in kinds.items():
        cursor.execute(f"SHOW CREATE TABLE `{name}`")
        statement = str((cursor.fetchone() or ())[1])
        if kind == "VIEW":
            views.append(statement)
            continue
        # What was counted in the template is not to be counted on in a copy.
        made.append(re.sub(r" AUTO_INCREMENT=\d+", "", statement))
        cursor.execute(f"SELECT * FROM `{name}`")
        if rows := cursor.fetchall():
            values = ", ".join(cursor.mogrify(f"({', '.join(['%s'] * len(row))})", row) for row in rows)
            filled.append(f"INSERT INTO `{name}` VALUES {values}")
    return ["SET foreign_key_checks = 0", *made, *filled, *views]


def _migrate(url: str) -> None:
    engines = Engines()
    try:
        migrate(engines.open("template", url), emulated=True)
    finally:
        engines.close()


def _connected(url: URL) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    return pymysql.connect(
        host=url.host or "127.0.0.1",
        port=url.port or 3306,
        user=url.username,
        password=str(url.password or ""),
        database=url.database or None,
        client_flag=CLIENT.MULTI_STATEMENTS,
        autocommit=True,
    )
