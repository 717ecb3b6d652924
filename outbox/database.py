"""Connecting to the wikis' databases: transactions, and the errors of a busy or missing server."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from outbox.errors import DatabaseNotMigrated, DatabaseRefuses, DatabaseUnavailable
from outbox.gate import Places
from outbox.server import STRICT, Server, repeated
from outbox.server_errors import Kind, hide_values, sentence, subject, trouble_of

__all__ = ["STRICT", "Database", "Engines", "Server", "is_busy", "translated_errors"]

Result = TypeVar("Result")

TRANSACTION_TRIES = 5
#: Kinds of trouble for which callers get an error of ours. Other kinds may be the fault of the transaction itself.
TRANSLATED = {
    Kind.SERVER: DatabaseUnavailable,
    Kind.DATABASE: DatabaseUnavailable,
    Kind.NOT_MIGRATED: DatabaseNotMigrated,
    Kind.REFUSED: DatabaseRefuses,
}


class Database:
    """The database of one wiki.

    Wikis on one MariaDB server share an engine and so a connection pool; a table's schema is then the wiki's database.
    """

    def __init__(self, wiki: str, server: Server, url: URL) -> None:
        self.wiki = wiki
        self.server = server
        self.url = url
        #: With the password masked; safe to print.
        self.shown_url = url.render_as_string(hide_password=True)
        #: The name of the database where several wikis share a server; None: the file is the database.
        self.schema = None if server.is_sqlite else url.database
        engine = server.engine
        self.engine = engine.execution_options(schema_translate_map={None: self.schema}) if self.schema else engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection in one transaction: commits at the end, rolls back on an error. Never to be held across HTTP.

        Raises:
            DatabaseUnavailable, DatabaseNotMigrated, DatabaseRefuses: one sentence for an operator in place of the
                driver's error; the first at once, while the server serves nobody.
        """
        with (
            translated_errors(self),
            self.server.serving(self.wiki),
            self.engine.begin() as connection,
        ):
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads only: takes no write lock on SQLite. Raises as `transaction` does."""
        with translated_errors(self), self.server.serving(self.wiki), self.engine.connect() as connection:
            connection.execution_options(read_only=True)
            yield connection

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run *work* in a transaction of its own, again if it lost a deadlock or waited too long for a lock.

        *work* may run several times, each time in a new transaction; only the last one is committed.
        """
        until = time.monotonic() + self.server.seconds

        def once() -> Result:
            with self.transaction() as connection:
                return work(connection)

        def passes(error: OperationalError) -> bool:
            return is_busy(error) and time.monotonic() <= until

        return repeated(once, OperationalError, passes, tries=TRANSACTION_TRIES)


@contextmanager
def translated_errors(database: Database) -> Iterator[None]:
    """Turn errors that are known and no message's fault into sentences; others pass through."""
    try:
        yield
    except SQLAlchemyError as error:
        hide_values(error)
        translated = TRANSLATED.get(trouble_of(error).kind)
        if translated is None:
            # Whoever catches it says with `sentence_of` where it happened.
            error.add_note(subject(database.wiki, database.shown_url))
            raise
        raise translated(sentence(error, database.wiki, database.shown_url)) from error


def is_busy(error: DBAPIError) -> bool:
    """Whether repeating the transaction is the cure."""
    return trouble_of(error).kind is Kind.BUSY


class Engines:
    """One engine per server and account, shared by all the wikis on it.

    *places* is how many transactions may run at once on one server, and so how many connections an engine has at most;
    *seconds* how long a statement may take; *around* is entered by every transaction; *tell* is called with a server,
    and whether its circuit is open now.
    """

    def __init__(
        self,
        *,
        places: int = 8,
        seconds: float = 10,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        tell: Callable[[Server, bool], None] = lambda _server, _is_open: None,
    ) -> None:
        self._size, self._seconds = places, seconds
        self._around, self._tell = around, tell
        self._servers: dict[URL, Server] = {}
        #: By address, for all accounts.
        self._places: dict[URL, Places] = {}

    def open(self, wiki: str, url: str) -> Database:
        """Return the database of *wiki*; does not connect yet.

        Raises:
            DatabaseUnavailable: *url* is not the URL of a MariaDB or SQLite database.
        """
        parsed = _parse(wiki, url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if not (is_sqlite or parsed.database):
            raise DatabaseUnavailable(f"{wiki}: {parsed!r} names no database; add one: …/{wiki}")
        try:
            return Database(wiki, self._server(parsed if is_sqlite else parsed.set(database="")), parsed)
        except (ValueError, TypeError, ArgumentError) as error:
            raise DatabaseUnavailable(
                f"{subject(wiki, repr(parsed))} was not asked ({error}); correct what stands after ? in "
                f"wikis.{wiki}.database_url"
            ) from error

    def close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def _server(self, url: URL) -> Server:
        if url not in self._servers:
            address = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
            places = self._places.setdefault(address, Places(self._size, patience=self._seconds))
            self._servers[url] = Server(
                url, places, size=self._size, seconds=self._seconds, around=self._around, tell=self._tell
            )
        return self._servers[url]


def _parse(wiki: str, url: str) -> URL:
    try:
        parsed = make_url(url)
        known = parsed.get_backend_name() in {"sqlite", "mariadb", "mysql"}
        # With no driver in the URL, or one that is not installed, only the first connection would fail.
        parsed.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
        known = False
    if not known:
        raise DatabaseUnavailable(
            f"{wiki}: database_url is not the URL of a MariaDB or SQLite database; "
            f"write mariadb+pymysql://user:password@host:3306/{wiki} or sqlite:///{wiki}.db"
        )
    return parsed
