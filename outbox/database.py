"""Connecting to the wikis' databases: engines, transactions, and the errors of a busy or missing server."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from outbox.errors import DatabaseNotMigrated, DatabaseUnavailable

Result = TypeVar("Result")
Failed = TypeVar("Failed", bound=Exception)

#: Deadlock, lock wait time-out, row changed since the snapshot: expected between workers, cured by repeating.
BUSY_MARIADB = {1205, 1213, 1020}
NOT_THERE_MARIADB = {1044, 1045, 1049, 2002, 2003, 2006, 2013, 1040, 1053, 1130, 1698, 1927}
NOT_THERE_SQLITE = ("unable to open database file", "file is not a database")
NOT_MIGRATED_MARIADB = {1146, 1054}
TRANSACTION_TRIES = 5
#: A wiki's server may run with an empty sql_mode, under which what does not fit is cut, clipped or emptied with no more
#: than a warning, and an engine that is not there is replaced by another.
STRICT = "sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"


class Database:
    """The database of one wiki.

    Wikis on one MariaDB server share an engine and so a connection pool; a table's schema is then the wiki's database.
    """

    def __init__(self, wiki: str, engine: Engine, url: URL) -> None:
        self.wiki = wiki
        self.url = url
        #: With the password masked; safe to print.
        self.shown_url = url.render_as_string(hide_password=True)
        schema = None if url.get_backend_name() == "sqlite" else url.database
        self.engine = engine.execution_options(schema_translate_map={None: schema}) if schema else engine

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session in one transaction: commits at the end, rolls back on an error.

        Raises:
            DatabaseUnavailable, DatabaseNotMigrated: one sentence for an operator in place of the driver's error.
        """
        with translated_errors(self), Session(self.engine, autoflush=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads only: takes no write lock on SQLite."""
        with translated_errors(self), self.engine.connect() as connection:
            connection.execution_options(read_only=True)
            yield connection

    def run(self, work: Callable[[Session], Result]) -> Result:
        """Run *work* in a transaction of its own, again if it lost a deadlock or waited too long for a lock.

        *work* may run several times, each time in a new transaction; only the last one is committed.
        """

        def once() -> Result:
            with self.transaction() as session:
                return work(session)

        return _repeated(once, OperationalError, is_busy)


@contextmanager
def translated_errors(database: Database) -> Iterator[None]:
    """Turn the driver's errors of a missing server or a missing table into sentences; others pass through."""
    try:
        yield
    except DBAPIError as error:
        number, wiki = _number(error), database.wiki
        if number in NOT_MIGRATED_MARIADB or "no such table" in str(error.orig) or "no such column" in str(error.orig):
            raise DatabaseNotMigrated(
                f"{wiki}: the database {database.shown_url} lacks a table or column of ours ({error.orig}); "
                f"run: outpatrol migrate --wiki {wiki}"
            ) from error
        if number in NOT_THERE_MARIADB or any(words in str(error.orig) for words in NOT_THERE_SQLITE):
            raise DatabaseUnavailable(
                f"{wiki}: the database {database.shown_url} does not answer ({error.orig}); "
                f"start it or correct wikis.{wiki}.database_url"
            ) from error
        raise


def _repeated(work: Callable[[], Result], kind: type[Failed], is_passing: Callable[[Failed], bool]) -> Result:
    """Do *work*, again after a rest where it failed with an error of that *kind* that passes by itself."""
    for attempt in range(1, TRANSACTION_TRIES):
        try:
            return work()
        except kind as error:
            if not is_passing(error):
                raise
            time.sleep(0.01 * 2**attempt)
    return work()


def is_busy(error: DBAPIError) -> bool:
    """Whether repeating the transaction is the cure."""
    return _number(error) in BUSY_MARIADB or "database is locked" in str(error.orig)


def _number(error: DBAPIError) -> int | None:
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


class Engines:
    """One engine per server, shared by all the wikis on it."""

    def __init__(self, *, pool_size: int = 5) -> None:
        self._pool_size = pool_size
        self._engines: dict[URL, Engine] = {}

    def open(self, wiki: str, url: str) -> Database:
        """Return the database of *wiki*; connects to nothing yet.

        Raises:
            DatabaseUnavailable: *url* is not the URL of a MariaDB or SQLite database.
        """
        parsed = _parse(wiki, url)
        if parsed.get_backend_name() == "sqlite":
            return Database(wiki, self._engine(parsed, _sqlite_engine), parsed)
        if not parsed.database:
            raise DatabaseUnavailable(f"{wiki}: {parsed!r} names no database; add one: …/{wiki}")
        return Database(wiki, self._engine(parsed.set(database=""), self._mariadb_engine), parsed)

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()

    def _engine(self, url: URL, make: Callable[[URL], Engine]) -> Engine:
        if url not in self._engines:
            self._engines[url] = make(url)
        return self._engines[url]

    def _mariadb_engine(self, url: URL) -> Engine:
        engine = create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_size=self._pool_size,
            pool_pre_ping=True,
            pool_recycle=1800,
            # A drain that waits long for a lock holds up more than it gains.
            connect_args={"init_command": f"SET SESSION innodb_lock_wait_timeout = 3, {STRICT}", "connect_timeout": 5},
        )

        @event.listens_for(engine, "before_cursor_execute", retval=True)
        def by_key(_1: Any, _2: Any, statement: str, parameters: Any, context: Any, _many: bool) -> tuple[str, Any]:
            # Under safe updates the server takes the key whenever it can, however few rows there are.
            if context and context.execution_options.get("by_key"):
                statement = f"SET STATEMENT sql_safe_updates = 1 FOR {statement}"
            return statement, parameters

        return engine


def _parse(wiki: str, url: str) -> URL:
    try:
        parsed = make_url(url)
        known = parsed.get_backend_name() in {"sqlite", "mariadb", "mysql"}
        # A URL that names no driver, or one that is not installed, would fail at the first connection only.
        parsed.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
        known = False
    if not known:
        raise DatabaseUnavailable(
            f"{wiki}: database_url is not the URL of a MariaDB or SQLite database; "
            f"write mariadb+pymysql://user:password@host:3306/{wiki} or sqlite:///{wiki}.db"
        )
    return parsed


def _write_ahead(connection: Any) -> None:
    """Switch to write-ahead logging; SQLite does not wait for others who are doing so at this moment."""
    switch = partial(connection.execute, "PRAGMA journal_mode = WAL")
    _repeated(switch, sqlite3.OperationalError, lambda error: "locked" in str(error))


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver's own idea of transactions begins them too late for SELECT-then-UPDATE; we say BEGIN ourselves.
        connection.isolation_level = None
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
